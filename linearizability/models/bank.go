package models

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/order"
	"github.com/holdfast-sim/holdfast/linearizability/internal/prose"
)

func init() { constructors["bank"] = Bank }

// FTransfer moves money between two accounts of a bank.
const FTransfer = "transfer"

const bankPurpose = "accounts, one bank per key, without negative balances; initial: " +
	"{account: balance, …}, or {\"balances\":{…}, \"negative\":true}, or null for not known"

var bankFunctions = []Function{
	{Name: FTransfer, Value: `{"from":account, "to":account, "amount":integer}`},
	{Name: FRead, Answer: "{account: balance, …}, all accounts"},
}

// BankCall is a decoded operation of a bank.
type BankCall struct {
	f         string
	isUnknown bool
	from, to  string
	amount    int64
	balances  map[string]int64
}

// bankState is the balances, or, while they are not known, what transfers have changed since the start.
type bankState struct {
	balances map[string]int64
	isKnown  bool
	text     string
}

func newBankState(balances map[string]int64, isKnown bool) *bankState {
	s := &bankState{balances: balances, isKnown: isKnown}
	var text strings.Builder
	if !isKnown {
		text.WriteString("unknown balances ")
	}
	for _, account := range slices.Sorted(maps.Keys(balances)) {
		if isKnown || balances[account] != 0 {
			fmt.Fprintf(&text, "%s:%d ", account, balances[account])
		}
	}
	s.text = strings.TrimSuffix(text.String(), " ")
	return s
}

// bank is the specification with its settings.
type bank struct {
	start         *bankState
	allowNegative bool
}

// Bank is the model of independent banks, one per key. transfer moves an amount from one account to
// another; a transfer that failed moved nothing, whatever the reason. read returns the balances of all
// accounts at one instant, as an object. No balance may become negative: a transfer that would make it so
// must not succeed.
//
// The initial state is the object that a read at the start would return. Nil means that it is not known:
// then the first read in the order defines it, and whether the transfers before it were covered is not
// judged. {"balances":{…},"negative":true} allows negative balances; balances may be missing there.
//
// Reads are first judged without a search, by their total, their accounts, their sign, and the least and
// the most that each balance can be. Whether an order exists is left to the search.
func Bank(initial json.RawMessage) (*Model, error) {
	b := &bank{start: newBankState(map[string]int64{}, false)}
	if err := b.setInitial(initial); err != nil {
		return nil, err
	}
	seed := maphash.MakeSeed()
	return &Model{
		Name:      "bank",
		Purpose:   bankPurpose,
		Keyed:     true,
		Functions: bankFunctions,
		Role:      func(op *history.Operation) Role { return readOrChange(op, FRead, FTransfer) },
		Decode:    decodeBank,
		Decide:    b.decide,
		Model: porcupine.Model{
			Init: func() any { return b.start },
			Step: func(state, _, output any) (bool, any) {
				return b.step(state.(*bankState), output.(*BankCall))
			},
			Equal: func(x, y any) bool { return x.(*bankState).text == y.(*bankState).text },
			Hash: func(state any) uint64 {
				return maphash.String(seed, state.(*bankState).text)
			},
			DescribeOperation: func(_, output any) string { return output.(*BankCall).describe() },
			DescribeState:     func(state any) string { return "{" + state.(*bankState).text + "}" },
		},
	}, nil
}

func (b *bank) setInitial(initial json.RawMessage) error {
	if len(initial) == 0 || string(initial) == "null" {
		return nil
	}
	var settings struct {
		Balances json.RawMessage `json:"balances"`
		Negative *bool           `json:"negative"`
	}
	balances := initial
	if err := json.Unmarshal(initial, &settings); err == nil &&
		(settings.Negative != nil || strings.HasPrefix(string(settings.Balances), "{")) {
		b.allowNegative = settings.Negative != nil && *settings.Negative
		if balances = settings.Balances; len(balances) == 0 {
			return nil
		}
	}
	known, err := balancesOf(balances)
	if err != nil {
		return err
	}
	b.start = newBankState(known, true)
	return nil
}

func balancesOf(value json.RawMessage) (map[string]int64, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(value, &raw); err != nil || raw == nil {
		return nil, fmt.Errorf(`%w: want an object of balances such as {"0":10,"1":5}, not %s`,
			ErrOperation, shorten(value))
	}
	balances := make(map[string]int64, len(raw))
	for account, number := range raw { // order matters only for which error is reported first
		n, err := integer(number, maxAmount)
		if err != nil {
			return nil, fmt.Errorf("balance of account %s: %w", account, err)
		}
		balances[account] = n
	}
	return balances, nil
}

func decodeBank(op *history.Operation, _ Call) (Call, error) {
	c := &BankCall{f: op.F, isUnknown: op.Outcome == history.Info}
	if op.F == FRead {
		var err error
		c.balances, err = balancesOf(op.Output)
		return c, err
	}
	var transfer struct {
		From   *json.RawMessage `json:"from"`
		To     *json.RawMessage `json:"to"`
		Amount *json.RawMessage `json:"amount"`
	}
	err := json.Unmarshal(op.Input, &transfer)
	if err != nil || transfer.From == nil || transfer.To == nil || transfer.Amount == nil {
		return nil, fmt.Errorf("%w: a transfer needs the value {\"from\":…,\"to\":…,\"amount\":…}, not %s",
			ErrOperation, shorten(op.Input))
	}
	c.from, c.to = textOf(*transfer.From), textOf(*transfer.To)
	c.amount, err = integer(*transfer.Amount, maxAmount)
	return c, err
}

func (b *bank) step(s *bankState, c *BankCall) (bool, any) {
	if c.f == FRead {
		if s.isKnown {
			return newBankState(c.balances, true).text == s.text, s
		}
		return b.allowNegative || !hasNegative(c.balances), newBankState(c.balances, true)
	}
	covered := !s.isKnown || b.allowNegative ||
		s.balances[c.from]-c.amount >= 0 && s.balances[c.to]+c.amount >= 0
	for _, account := range []string{c.from, c.to} {
		if _, ok := s.balances[account]; s.isKnown && !ok {
			covered = false
		}
	}
	switch {
	case !covered:
		return c.isUnknown, s // refused, and the answer was lost
	case c.from == c.to || c.amount == 0:
		return true, s
	}
	next := maps.Clone(s.balances)
	next[c.from] -= c.amount
	next[c.to] += c.amount
	return true, newBankState(next, s.isKnown)
}

func hasNegative(balances map[string]int64) bool {
	for _, n := range balances { // order does not matter
		if n < 0 {
			return true
		}
	}
	return false
}

func (c *BankCall) describe() string {
	if c.f == FRead {
		return "read → {" + newBankState(c.balances, true).text + "}"
	}
	return fmt.Sprintf("transfer(%s to %s, %d)", c.from, c.to, c.amount)
}

// decide compares reads with what every order keeps: the accounts, the total, and the sign of balances;
// and, if these are right, each balance with what the transfers called by then can have made of it.
func (b *bank) decide(ops []history.Operation) (Decision, error) {
	var d Decision
	var reads []bankRead
	for i := range ops {
		if readOrChange(&ops[i], FRead, FTransfer) != Observation {
			continue
		}
		balances, err := balancesOf(ops[i].Output)
		if err != nil {
			return d, fmt.Errorf("%s: %w", nameWithKey(&ops[i]), err)
		}
		reads = append(reads, bankRead{i, balances})
	}
	for k := range reads {
		known, by := b.start.balances, fromStart
		if !b.start.isKnown {
			known, by = reads[0].balances, reads[0].op
		}
		text := b.wrong(known, reads[k].balances)
		if text == "" {
			continue
		}
		f := reads[k].finding(ops, text)
		if by != fromStart && by != reads[k].op {
			f.Ops = []int{by, reads[k].op}
			f.Explain += fmt.Sprintf(" (compared with %s)", prose.OpName(&ops[by]))
		}
		if d.Findings = append(d.Findings, f); len(d.Findings) == maxFindings {
			break
		}
	}
	if len(d.Findings) > 0 || !b.start.isKnown {
		return d, nil
	}
	return b.decideBounds(ops, reads)
}

// bankRead is the answer of a read.
type bankRead struct {
	op       int
	balances map[string]int64
}

func (r *bankRead) finding(ops []history.Operation, text string) Finding {
	op := &ops[r.op]
	return Finding{Kind: kindImpossible, Ops: []int{r.op}, Explain: fmt.Sprintf("%s returned {%s} at %s: %s",
		nameWithKey(op), newBankState(r.balances, true).text, prose.Seconds(op.Return), text)}
}

// decideBounds takes each account as a counter of its own. All reads have the accounts of the start.
func (b *bank) decideBounds(ops []history.Operation, reads []bankRead) (d Decision, err error) {
	adds := make(map[string][]order.CounterAdd)
	for i := range ops {
		if readOrChange(&ops[i], FRead, FTransfer) != Mutation {
			continue
		}
		call, err := decodeBank(&ops[i], nil)
		if err != nil {
			return d, fmt.Errorf("%s: %w", nameWithKey(&ops[i]), err)
		}
		if c := call.(*BankCall); c.from != c.to {
			adds[c.from] = append(adds[c.from], order.CounterAdd{Span: spanOf(ops, i), Amount: -c.amount})
			adds[c.to] = append(adds[c.to], order.CounterAdd{Span: spanOf(ops, i), Amount: c.amount})
		}
	}
	byOp := make(map[int]*bankRead, len(reads))
	for k := range reads {
		byOp[reads[k].op] = &reads[k]
	}
	for _, account := range slices.Sorted(maps.Keys(b.start.balances)) {
		h := order.Counter{Initial: b.start.balances[account], Adds: adds[account]}
		for _, r := range reads {
			h.Reads = append(h.Reads, order.CounterRead{Span: spanOf(ops, r.op), Value: r.balances[account]})
		}
		for _, f := range h.Bounds() {
			if len(d.Findings) < maxFindings {
				d.Findings = append(d.Findings, byOp[f.Ops[0]].finding(ops, fmt.Sprintf(
					"account %s can have had from %d to %d then", account, f.Least, f.Most)))
			}
		}
	}
	return d, nil
}

// wrong describes what no bank with the known accounts can have returned; empty if nothing.
func (b *bank) wrong(known, balances map[string]int64) string {
	var before, now int64
	for _, account := range slices.Sorted(maps.Keys(known)) {
		if _, ok := balances[account]; !ok {
			return "account " + account + " is missing"
		}
		before += known[account]
	}
	for _, account := range slices.Sorted(maps.Keys(balances)) {
		if _, ok := known[account]; !ok {
			return "there is no account " + account
		}
		if balances[account] < 0 && !b.allowNegative {
			return fmt.Sprintf("account %s has the negative balance %d", account, balances[account])
		}
		now += balances[account]
	}
	if before != now {
		return fmt.Sprintf("the total is %d and should be %d", now, before)
	}
	return ""
}

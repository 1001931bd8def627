package store

import "github.com/holdfast-sim/holdfast/engine/env"

// client is who waits for an answer: an operation from outside, or a process of this machine that
// sent the request as a local message. The latter gets its answer as a local message too, and
// tells by the request's id which of its requests it belongs to. Operations are in JSON, local
// messages in the compact form.
type client struct {
	op    env.OpID
	local string // the process's name; "" for an operation
}

// request reads what a client asks for.
func (c client) request(input []byte) (*Request, error) {
	if c.local == "" {
		return DecodeRequest(input)
	}
	return DecodeCompactRequest(input)
}

// reply hands an answer to its client. A process that has ended or does not take its messages gets
// none: like every client it gives up after a while, and learns the outcome by asking again.
func (s *Store) reply(to client, r *Response) {
	if to.local == "" {
		s.env.Complete(to.op, r.Encode())
		return
	}
	output := r.EncodeCompact()
	if len(output) > env.MaxLocalBytes {
		s.env.Log().Error("an answer is too long for a local message", "process", to.local, "bytes", len(output))
		return
	}
	if err := s.env.Local(to.local, output); err != nil {
		s.env.Probe("store/local-answer-refused")
	}
}

package etcd

import "encoding/json"

// operation is a line of operations.json: an operation of porcupine with etcd's request and response in it.
type operation struct {
	ClientID *int            `json:"ClientId"`
	Input    *request        `json:"Input"`
	Call     *int64          `json:"Call"`
	Output   *response       `json:"Output"`
	Return   json.RawMessage `json:"Return"`
}

type request struct {
	Type  string
	Range *rangeRequest
	Txn   *txn
}

type rangeRequest struct {
	Start, End      string
	Limit, Revision int64
	KeysOnly        bool
}

// simple reports whether a range asks for the newest value of one key.
func (q *rangeRequest) simple() bool { return q.End == "" && q.Revision == 0 && !q.KeysOnly }

type txn struct {
	Conditions                               []condition
	OperationsOnSuccess, OperationsOnFailure []step
}

type condition struct {
	Key                               string
	ExpectedRevision, ExpectedVersion int64
}

type step struct {
	Type  string
	Range rangeRequest
	Put   struct {
		Key     string
		Value   json.RawMessage
		LeaseID int64
	}
	Delete struct{ Key string }
}

// response is what the client was answered. Error and the two flags mean that it was not.
type response struct {
	Txn *struct {
		Failure bool
		Results []result
	}
	Range              *result
	ClientError, Error string
	Persisted          bool
	PartialResponse    bool
	Revision           int64
}

type result struct {
	KVs []struct {
		Key         string
		Value       json.RawMessage
		ModRevision int64
	}
}

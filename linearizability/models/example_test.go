package models_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Command lines and files name models.
func ExampleByName() {
	model, err := models.ByName("register", json.RawMessage(`"empty"`))
	if err != nil {
		panic(err)
	}
	fmt.Println(model.Name, model.Keyed)
	fmt.Println(strings.Join(models.Names(), " "))
	// Output:
	// register true
	// append-log bank cas-register counter fifo-queue kv mutex register set store unordered-queue versioned-kv
}

// A model of one's own: a counter that only grows. Step gets the decoded call as its output.
func ExampleModel() {
	counter := &models.Model{
		Name: "counter",
		Model: porcupine.Model{
			Init: func() any { return 0 },
			Step: func(state, _, output any) (bool, any) {
				op := output.(*history.Operation)
				if op.F == "add" {
					return true, state.(int) + 1
				}
				return fmt.Sprint(state) == string(op.Output), state
			},
			DescribeOperation: func(_, output any) string { return output.(*history.Operation).F },
		},
		Role: func(op *history.Operation) models.Role {
			switch {
			case op.F == "add" && op.Outcome != history.Fail:
				return models.Mutation
			case op.F == "get" && op.Outcome == history.OK:
				return models.Observation
			}
			return models.Ignored
		},
		Decode: func(op *history.Operation, _ models.Call) (models.Call, error) { return op, nil },
		// A history that holds other functions than these is unknown, never valid.
		Functions: []models.Function{{Name: "add"}, {Name: "get", Answer: "integer"},
			{Name: "ping", Unjudged: true}},
	}
	report, err := lin.Check(context.Background(), counter, &lin.History{Ops: []history.Operation{
		{Index: 0, Process: 0, F: "add", Call: 0, Return: 10, Outcome: history.OK},
		{Index: 2, Process: 1, F: "add", Call: 5, Return: history.Never, Outcome: history.Info},
		{Index: 4, Process: 2, F: "get", Call: 20, Return: 30, Outcome: history.OK,
			Output: json.RawMessage("2")},
		{Index: 6, Process: 2, F: "get", Call: 40, Return: 50, Outcome: history.OK,
			Output: json.RawMessage("1")},
	}})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Validity)
	// Output: invalid
}

package env

import (
	"encoding/json"
	"fmt"
)

// EncodeJSON returns the JSON form of a message of plain fields, such as processes of one machine send each
// other. It panics if v cannot be encoded: the type of such a message is wrong, whatever its values are.
func EncodeJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("env: encoding %T: %v", v, err))
	}
	return data
}

package svg

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// numbersOf reads the values of an attribute from a picture that must be XML.
func numbersOf(t require.TestingT, picture []byte, attr string) (out []float64) {
	dec := xml.NewDecoder(bytes.NewReader(picture))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == attr {
				n, err := strconv.ParseFloat(a.Value, 64)
				require.NoError(t, err)
				out = append(out, n)
			}
		}
	}
}

// maxRun is the longest run that pictures are made for: some ten days, in nanoseconds.
const maxRun = 1e15

// Whatever times and texts a chart has, the picture is XML and nothing lies outside of it.
func TestDrawStaysInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "from"))
		c := Chart{Title: rapid.String().Draw(t, "title"), From: from,
			To:    from + time.Duration(rapid.Int64Range(0, maxRun).Draw(t, "length")),
			Width: rapid.IntRange(0, 20_000).Draw(t, "width")}
		row := Row{Label: rapid.String().Draw(t, "label"), Height: rapid.IntRange(0, 200).Draw(t, "height")}
		for range rapid.IntRange(0, 8).Draw(t, "items") {
			at := time.Duration(rapid.Int64().Draw(t, "at") / 4)
			row.Items = append(row.Items, Item{From: at, To: at +
				time.Duration(rapid.Int64Range(0, 1e18).Draw(t, "for")),
				Shape: Shape(rapid.IntRange(0, 2).Draw(t, "shape")), Class: Class(rapid.String().Draw(t,
					"class")),
				Low: rapid.IntRange(-5, 2000).Draw(t, "low"), High: rapid.IntRange(-5, 2000).Draw(t, "high"),
				Text: rapid.String().Draw(t, "text"), Tip: rapid.String().Draw(t,
					"tip"), ID: rapid.String().Draw(t, "id"),
				Spill: rapid.Bool().Draw(t, "spill")})
		}
		c.Groups = []Group{{Title: rapid.String().Draw(t, "group"), Rows: []Row{row}}}
		c.Marks = []Mark{{At: c.From, Label: "begin"}, {At: c.To + 1, Label: "after the end"}}
		var out bytes.Buffer
		require.NoError(t, c.WriteFile(&out))
		width := numbersOf(t, out.Bytes(), "width")[0]
		for _, attr := range []string{"x", "cx", "x1", "x2"} {
			for _, n := range numbersOf(t, out.Bytes(), attr) {
				require.GreaterOrEqual(t, n, 0.0, attr)
				require.LessOrEqual(t, n, width, attr)
			}
		}
		require.NotContains(t, out.String(), "after the end")
		for _, n := range numbersOf(t, out.Bytes(), "height") {
			require.GreaterOrEqual(t, n, 0.0)
		}
	})
}

func TestTickStep(t *testing.T) {
	for _, c := range []struct {
		span     time.Duration
		most     int
		step     time.Duration
		decimals int
	}{
		{170 * time.Second, 11, 20 * time.Second, 0},
		{12 * time.Second, 11, 2 * time.Second, 0},
		{time.Second, 11, 100 * time.Millisecond, 1},
		{3 * time.Millisecond, 8, 500 * time.Microsecond, 4},
		{26 * time.Hour, 5, 8 * time.Hour, 0},
		{0, 0, time.Microsecond, 6},
	} {
		step, decimals := tickStep(c.span, c.most)
		require.Equal(t, c.step, step, c.span)
		require.Equal(t, c.decimals, decimals, c.span)
	}
	rapid.Check(t, func(t *rapid.T) {
		span := time.Duration(rapid.Int64Range(1, 1<<60).Draw(t, "span"))
		step, _ := tickStep(span, 10)
		require.Less(t, span/step, time.Duration(10))
	})
	require.Equal(t, "-1.50 s", tickText(-1500*time.Millisecond, 2))
}

func TestTextFindsItsPlace(t *testing.T) {
	draw := func(items ...Item) string {
		c := Chart{To: 100 * time.Second, Groups: []Group{{Rows: []Row{{Items: items}}}}}
		var out bytes.Buffer
		require.NoError(t, c.Write(&out))
		return out.String()
	}
	block := Item{To: 40 * time.Second, Text: "a text of some length", Class: Fault, Spill: true}
	require.Contains(t, draw(block), ">a text of some length</text>")
	require.NotContains(t, draw(block), `"in fault spilt"`)
	block.To = 5 * time.Second
	require.Contains(t, draw(block), `"in fault spilt"`)
	next := Item{From: 8 * time.Second, To: 9 * time.Second}
	require.Contains(t, draw(block, next), `data-full="a text of some length">a text…</text>`)
	block.Spill = false
	require.NotContains(t, draw(block), "spilt")
	block.To = time.Second
	require.Contains(t, draw(block), `data-full="a text of some length"></text>`)
}

func TestEscapes(t *testing.T) {
	evil := `"><script>x</script>` + "\x00"
	c := Chart{Title: evil, Description: evil, To: time.Second, Windows: []Window{{Tip: evil}},
		Marks: []Mark{{Label: evil, Class: Class(evil)}},
		Groups: []Group{{Title: evil, Rows: []Row{{Label: evil, Tip: evil, Ticks: []Tick{{Label: evil}},
			Items: []Item{{To: time.Second, Class: Class(evil), ID: evil, Text: evil, Tip: evil}}}}}}}
	var out bytes.Buffer
	require.NoError(t, c.WriteFile(&out))
	require.NotContains(t, out.String(), "<script")
	require.Contains(t, out.String(), `id="scriptxscript"`)
	require.Equal(t, 1, strings.Count(out.String(), "<style>"))
}

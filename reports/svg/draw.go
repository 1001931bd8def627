package svg

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Style is the style sheet of a chart, in light and dark. Pages that embed charts need it once.
//
//go:embed chart.css
var Style string

// Sizes in pixels; the page's script knows the gutter and the margin from the picture's attributes.
const (
	gutter      = 116
	margin      = 14
	headHeight  = 26
	titleHeight = 24
	rowGap      = 2
	charTenths  = 62  // the usual width of a character, in tenths of a pixel
	barMinimum  = 250 // in hundredths
	textPadding = 800 // in hundredths, both sides together
	leastChars  = 3   // a text of which less would remain is left out
	plotGap     = 12  // below a row with a scale
)

// cent is a length in hundredths of a pixel.
type cent int64

func (c cent) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	s := sign + strconv.FormatInt(int64(c/100), 10)
	if rest := c % 100; rest != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%02d", int64(rest)), "0")
	}
	return s
}

func pixels(n int) cent { return cent(n) * 100 }

// esc makes a text safe inside elements and attributes, in XML and in HTML.
func esc(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic("svg: writing to memory failed: " + err.Error())
	}
	return b.String()
}

// safeID keeps what may stand in an identifier.
func safeID(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

type drawing struct {
	*Chart
	out    bytes.Buffer
	width  int
	height int
	y      int
}

// Write draws the chart as a picture for use inside a page that brings [Style].
func (c *Chart) Write(w io.Writer) error {
	_, err := w.Write(c.draw(false))
	return err
}

// WriteFile draws the chart as a file of its own.
func (c *Chart) WriteFile(w io.Writer) error {
	_, err := w.Write(c.draw(true))
	return err
}

func (c *Chart) draw(alone bool) []byte {
	d := &drawing{Chart: c, width: c.Width}
	if d.width == 0 {
		d.width = DefaultWidth
	}
	d.width = min(MaxWidth, max(MinWidth, d.width))
	d.height = d.heightOf()
	d.open(alone)
	d.windows()
	d.axis()
	d.y = headHeight
	for i := range c.Groups {
		d.group(&c.Groups[i])
	}
	d.marks()
	d.put("</svg>\n")
	return d.out.Bytes()
}

func (d *drawing) put(format string, args ...any) { fmt.Fprintf(&d.out, format, args...) }

func (r *Row) height() int {
	if r.Height > 0 {
		return r.Height
	}
	return DefaultRowHeight
}

// gap is the space below a row: a scale's lowest label reaches beyond it.
func (r *Row) gap() int {
	if len(r.Ticks) > 0 {
		return plotGap
	}
	return rowGap
}

func (d *drawing) heightOf() int {
	h := headHeight + margin
	for i := range d.Groups {
		h += titleHeight
		for j := range d.Groups[i].Rows {
			h += d.Groups[i].Rows[j].height() + d.Groups[i].Rows[j].gap()
		}
	}
	return h
}

// span is the length of the axis in microseconds, at least one.
func (d *drawing) span() int64 { return max(1, micros(d.To)-micros(d.From)) }

func micros(t time.Duration) int64 { return int64(t / time.Microsecond) }

func (d *drawing) xOf(t time.Duration) cent {
	t = min(max(t, d.From), d.To)
	inner := int64(pixels(d.width - gutter - margin))
	us := micros(t) - micros(d.From)
	span := d.span()
	return pixels(gutter) + cent(us/span*inner+us%span*inner/span)
}

func (d *drawing) open(alone bool) {
	d.put(`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 %d %d" width="%d" height="%d"`,
		d.width, d.height, d.width, d.height)
	d.put(` data-from="%d" data-to="%d" data-gutter="%d" data-margin="%d"`+
		` role="img" aria-labelledby="chart-title chart-desc">`,
		micros(d.From), micros(d.From)+d.span(), gutter, margin)
	d.put("\n<title id=\"chart-title\">%s</title>\n<desc id=\"chart-desc\">%s</desc>\n", esc(d.Title),
		esc(d.Description))
	if alone {
		d.put("<style>%s</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", Style, d.width,
			d.height)
	}
	d.put(`<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"` +
		` patternTransform="rotate(45)"><rect class="hatch-ground" width="5" height="5"/>` +
		`<rect class="hatch-line" width="2" height="5"/></pattern>`)
	d.put(`<clipPath id="inner"><rect x="%d" y="0" width="%d" height="%d"/></clipPath></defs>`+"\n",
		gutter-1, d.width-gutter-margin+2, d.height)
}

func (d *drawing) windows() {
	d.put(`<g clip-path="url(#inner)">`)
	for i := range d.Windows {
		w := &d.Windows[i]
		d.put(`<rect class="window" data-a="%d" data-b="%d" x="%s" y="%d" width="%s" height="%d">%s</rect>`,
			micros(w.From),
			micros(w.To), d.xOf(w.From), headHeight, max(50,
				d.xOf(w.To)-d.xOf(w.From)), d.height-headHeight-margin/2, tooltip(w.Tip))
	}
	d.put("</g>\n")
}

func tooltip(text string) string {
	if text == "" {
		return ""
	}
	return "<title>" + esc(text) + "</title>"
}

// axis draws the ticks and a line down the picture at each.
func (d *drawing) axis() {
	d.put(`<g class="axis" data-top="%d" data-bottom="%d">`, headHeight, d.height-margin/2)
	step, decimals := tickStep(d.To-d.From, (d.width-gutter-margin)/90)
	first := (d.From + step - 1) / step * step
	for t := first; t <= d.To; t += step {
		x := d.xOf(t)
		d.put(`<line class="grid" x1="%s" x2="%s" y1="%d" y2="%d"/>`, x, x, headHeight-4, d.height-margin/2)
		d.put(`<text class="tick" x="%s" y="%d">%s</text>`, x, headHeight-10, tickText(t, decimals))
	}
	d.put("</g>\n")
}

// tickStep returns the distance between ticks, 1, 2 or 5 times a power of ten or a part of a
// minute, for at most so many of them, and how many decimals of a second tell them apart.
func tickStep(span time.Duration, most int) (step time.Duration, decimals int) {
	most = max(2, most)
	for decimals = 6; decimals >= 0; decimals-- {
		unit := time.Second
		for range decimals {
			unit /= 10
		}
		for _, factor := range []time.Duration{1, 2, 5} {
			if step = unit * factor; span/step < time.Duration(most) {
				return step, decimals
			}
		}
	}
	for _, s := range []time.Duration{10, 20, 30, 60, 120, 300, 600, 1200, 1800} {
		if step = s * time.Second; span/step < time.Duration(most) {
			return step, 0
		}
	}
	for step = time.Hour; span/step >= time.Duration(most); {
		step *= 2
	}
	return step, 0
}

func tickText(t time.Duration, decimals int) string {
	sign := ""
	if t < 0 {
		sign, t = "-", -t
	}
	s := sign + strconv.FormatInt(int64(t/time.Second), 10)
	if decimals > 0 {
		s += "." + strconv.FormatInt(int64(t%time.Second+time.Second), 10)[1:1+decimals]
	}
	return s + " s"
}

func (d *drawing) group(g *Group) {
	d.put(`<text class="heading" x="%d" y="%d">%s</text>`, margin, d.y+titleHeight-8, esc(g.Title))
	d.put(`<line class="rule" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n",
		gutter, d.width-margin, d.y+titleHeight-12, d.y+titleHeight-12)
	d.y += titleHeight
	for i := range g.Rows {
		d.row(&g.Rows[i])
	}
}

func (d *drawing) row(r *Row) {
	h := r.height()
	middle := d.y + h/2 + 4
	labelTip := r.Tip
	room := (gutter - margin - 8) * 10 / charTenths
	if labelTip == "" && utf8.RuneCountInString(r.Label) > room {
		labelTip = r.Label
	}
	if len(r.Ticks) > 0 {
		middle = d.y + 12
	}
	d.put(`<text class="label" x="%d" y="%d" data-full="%s">%s%s</text>`, margin, middle, esc(r.Label),
		esc(cutText(r.Label, room)), tooltip(labelTip))
	d.put(`<g class="row" clip-path="url(#inner)"><rect class="lane" x="%d" y="%d" width="%d" height="%d"/>`,
		gutter, d.y, d.width-gutter-margin, h)
	for _, t := range r.Ticks {
		y := d.level(r, t.Level)
		d.put(`<line class="level" x1="%d" x2="%d" y1="%s" y2="%s"/>`, gutter, d.width-margin, y, y)
	}
	for i := range r.Items {
		next := d.To
		if i+1 < len(r.Items) {
			next = r.Items[i+1].From
		}
		d.item(r, &r.Items[i], next)
	}
	d.put("</g>")
	for _, t := range r.Ticks {
		d.put(`<text class="scale" x="%d" y="%s">%s</text>`, gutter-6, d.level(r, t.Level)+350, esc(t.Label))
	}
	d.put("\n")
	d.y += h + r.gap()
}

// level is the height of a level in a row, downwards from the top of the picture.
func (d *drawing) level(r *Row, level int) cent {
	level = min(Full, max(0, level))
	return pixels(d.y) + pixels(r.height())*cent(Full-level)/Full
}

func cutText(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:max(1, limit-1)]) + "…"
}

func (d *drawing) item(r *Row, it *Item, next time.Duration) {
	class := string(it.Class.known())
	if it.Alert {
		class += " alert"
	}
	x := d.xOf(it.From)
	if it.Shape == Point {
		d.put(`<circle class="point %s" data-a="%d" data-o="%s" cx="%s" cy="%s" r="2.2">%s</circle>`,
			class, micros(it.From), safeID(it.ID), x, d.level(r, it.Low), tooltip(it.Tip))
		return
	}
	low, high := it.Low, max(it.Low, it.High)
	if low == 0 && high == 0 {
		high = Full
	}
	top := d.level(r, high)
	width := d.xOf(it.To) - x
	kind := "block"
	if it.Shape == Bar {
		kind, width = "bar", max(width, barMinimum)
	}
	id := ""
	if it.ID != "" {
		id = ` id="` + safeID(it.ID) + `"`
	}
	d.put(`<rect%s class="%s %s" data-a="%d" data-b="%d" x="%s" y="%s" width="%s" height="%s">%s</rect>`, id,
		kind, class,
		micros(it.From), micros(it.To), x, top, max(width, 50), d.level(r, low)-top, tooltip(it.Tip))
	if it.Shape == Block && it.Text != "" {
		d.blockText(r, it, next)
	}
}

// fits is how many characters fit into a width.
func fits(width cent) int { return int(width-textPadding) / (charTenths * 10) }

// TextWidth is the estimated width of a text in pixels, with some space around it.
func TextWidth(text string) int {
	return (utf8.RuneCountInString(text)*charTenths*10 + textPadding) / 100
}

// blockText writes a block's text: inside if it fits, else after it where that is allowed and
// there is room, else as much of it inside as fits.
func (d *drawing) blockText(r *Row, it *Item, next time.Duration) {
	x, end := d.xOf(it.From), d.xOf(it.To)
	chars := utf8.RuneCountInString(it.Text)
	class, text := string(it.Class.known()), it.Text
	attrs := ""
	if it.Spill {
		attrs = fmt.Sprintf(` data-next="%d"`, micros(next))
	}
	switch room := fits(end - x); {
	case room >= chars:
	case it.Spill && fits(d.xOf(next)-end) >= chars:
		x, class = end, class+" spilt"
	case room >= leastChars:
		text = cutText(it.Text, room)
	default:
		text = ""
	}
	if text != it.Text {
		attrs += ` data-full="` + esc(it.Text) + `"`
	}
	d.put(`<text class="in %s" data-a="%d" data-b="%d" x="%s" y="%d"%s>%s</text>`, class,
		micros(it.From), micros(it.To), x+textPadding/2, d.y+r.height()/2+4, attrs, esc(text))
}

// marks draws the instants last, on top of everything.
func (d *drawing) marks() {
	d.put(`<g clip-path="url(#inner)">`)
	for _, m := range d.Marks {
		if m.At < d.From || m.At > d.To {
			continue
		}
		x := d.xOf(m.At)
		d.put(`<g class="mark %s" data-a="%d" transform="translate(%s 0)">`, m.Class.known(), micros(m.At), x)
		d.put(`<line y1="%d" y2="%d"/><text x="3" y="%d">%s</text></g>`,
			headHeight-6, d.height-margin/2, headHeight+9, esc(m.Label))
	}
	d.put("</g>\n")
}

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
	gutter          = 116
	margin          = 14
	axisHeight      = 26
	titleHeight     = 24
	rowGap          = 2
	charWidthTenths = 62  // the usual width of a character, in tenths of a pixel
	minBarWidth     = 250 // in hundredths
	textPadding     = 800 // in hundredths, both sides together
	minTextChars    = 3   // a text of which less would remain is left out
	plotGap         = 12  // below a row with a scale
)

// pixelHundredths is a length in hundredths of a pixel.
type pixelHundredths int64

func (c pixelHundredths) String() string {
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

func pixels(n int) pixelHundredths { return pixelHundredths(n) * 100 }

// escapeText makes a text safe inside elements and attributes, in XML and in HTML.
func escapeText(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic("svg: writing to memory failed: " + err.Error())
	}
	return b.String()
}

// sanitizeID keeps what may stand in an identifier.
func sanitizeID(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

type drawing struct {
	*Chart
	output bytes.Buffer
	width  int
	height int
	nextY  int
}

// Write draws the chart as a picture for use inside a page that brings [Style].
func (c *Chart) Write(w io.Writer) error {
	_, err := w.Write(c.render(false))
	return err
}

// WriteFile draws the chart as a file of its own.
func (c *Chart) WriteFile(w io.Writer) error {
	_, err := w.Write(c.render(true))
	return err
}

func (c *Chart) render(alone bool) []byte {
	d := &drawing{Chart: c, width: c.Width}
	if d.width == 0 {
		d.width = DefaultWidth
	}
	d.width = min(MaxWidth, max(MinWidth, d.width))
	d.height = d.totalHeight()
	d.writeHeader(alone)
	d.drawWindows()
	d.drawAxis()
	d.nextY = axisHeight
	for i := range c.Groups {
		d.drawGroup(&c.Groups[i])
	}
	d.drawMarks()
	d.putf("</svg>\n")
	return d.output.Bytes()
}

func (d *drawing) putf(format string, args ...any) { fmt.Fprintf(&d.output, format, args...) }

func (r *Row) pixelHeight() int {
	if r.Height > 0 {
		return r.Height
	}
	return DefaultRowHeight
}

// gapBelow is the space below a row: a scale's lowest label reaches beyond it.
func (r *Row) gapBelow() int {
	if len(r.Ticks) > 0 {
		return plotGap
	}
	return rowGap
}

func (d *drawing) totalHeight() int {
	h := axisHeight + margin
	for i := range d.Groups {
		h += titleHeight
		for j := range d.Groups[i].Rows {
			h += d.Groups[i].Rows[j].pixelHeight() + d.Groups[i].Rows[j].gapBelow()
		}
	}
	return h
}

// spanMicros is the length of the axis in microseconds, at least one.
func (d *drawing) spanMicros() int64 { return max(1, micros(d.To)-micros(d.From)) }

func micros(t time.Duration) int64 { return int64(t / time.Microsecond) }

func (d *drawing) xAt(t time.Duration) pixelHundredths {
	t = min(max(t, d.From), d.To)
	inner := int64(pixels(d.width - gutter - margin))
	us := micros(t) - micros(d.From)
	span := d.spanMicros()
	return pixels(gutter) + pixelHundredths(us/span*inner+us%span*inner/span)
}

func (d *drawing) writeHeader(alone bool) {
	d.putf(`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 %d %d" width="%d" height="%d"`,
		d.width, d.height, d.width, d.height)
	d.putf(` data-from="%d" data-to="%d" data-gutter="%d" data-margin="%d"`+
		` role="img" aria-labelledby="%[5]schart-title %[5]schart-desc">`,
		micros(d.From), micros(d.From)+d.spanMicros(), gutter, margin, d.prefix())
	d.putf("\n<title id=\"%[3]schart-title\">%[1]s</title>\n<desc id=\"%[3]schart-desc\">%[2]s</desc>\n",
		escapeText(d.Title), escapeText(d.Description), d.prefix())
	if alone {
		d.putf("<style>%s</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", Style, d.width,
			d.height)
	}
	d.putf(`<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"` +
		` patternTransform="rotate(45)"><rect class="hatch-ground" width="5" height="5"/>` +
		`<rect class="hatch-line" width="2" height="5"/></pattern>`)
	d.putf(`<clipPath id="%s"><rect x="%d" y="0" width="%d" height="%d"/></clipPath></defs>`+"\n",
		d.innerID(), gutter-1, d.width-gutter-margin+2, d.height)
}

// prefix is that of the identifiers of the chart.
func (d *drawing) prefix() string {
	if d.Name == "" {
		return ""
	}
	return sanitizeID(d.Name) + "-"
}

// innerID names the area of the rows.
func (d *drawing) innerID() string { return d.prefix() + "inner" }

func (d *drawing) drawWindows() {
	d.putf(`<g clip-path="url(#%s)">`, d.innerID())
	for i := range d.Windows {
		w := &d.Windows[i]
		d.putf(`<rect class="window" data-a="%d" data-b="%d" x="%s" y="%d" width="%s" height="%d">%s</rect>`,
			micros(w.From),
			micros(w.To), d.xAt(w.From), axisHeight, max(50,
				d.xAt(w.To)-d.xAt(w.From)), d.height-axisHeight-margin/2, tooltip(w.Tip))
	}
	d.putf("</g>\n")
}

func tooltip(text string) string {
	if text == "" {
		return ""
	}
	return "<title>" + escapeText(text) + "</title>"
}

// drawAxis draws the ticks and a line down the picture at each.
func (d *drawing) drawAxis() {
	d.putf(`<g class="axis" data-top="%d" data-bottom="%d">`, axisHeight, d.height-margin/2)
	step, decimals := tickStep(d.To-d.From, (d.width-gutter-margin)/90)
	first := (d.From + step - 1) / step * step
	for t := first; t <= d.To; t += step {
		x := d.xAt(t)
		d.putf(`<line class="grid" x1="%s" x2="%s" y1="%d" y2="%d"/>`, x, x, axisHeight-4,
			d.height-margin/2)
		d.putf(`<text class="tick" x="%s" y="%d">%s</text>`, x, axisHeight-10, tickText(t, decimals))
	}
	d.putf("</g>\n")
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

func (d *drawing) drawGroup(g *Group) {
	d.putf(`<text class="heading" x="%d" y="%d">%s</text>`, margin, d.nextY+titleHeight-8,
		escapeText(g.Title))
	d.putf(`<line class="rule" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n",
		gutter, d.width-margin, d.nextY+titleHeight-12, d.nextY+titleHeight-12)
	d.nextY += titleHeight
	for i := range g.Rows {
		d.drawRow(&g.Rows[i])
	}
}

func (d *drawing) drawRow(r *Row) {
	h := r.pixelHeight()
	middle := d.nextY + h/2 + 4
	labelTip := r.Tip
	room := (gutter - margin - 8) * 10 / charWidthTenths
	if labelTip == "" && utf8.RuneCountInString(r.Label) > room {
		labelTip = r.Label
	}
	if len(r.Ticks) > 0 {
		middle = d.nextY + 12
	}
	d.putf(`<text class="label" x="%d" y="%d" data-full="%s">%s%s</text>`, margin, middle,
		escapeText(r.Label),
		escapeText(cutText(r.Label, room)), tooltip(labelTip))
	id := ""
	if r.ID != "" {
		id = ` id="row-` + sanitizeID(r.ID) + `"`
	}
	d.putf(`<g%s class="row" clip-path="url(#%s)">`, id, d.innerID())
	d.putf(`<rect class="lane" x="%d" y="%d" width="%d" height="%d"/>`,
		gutter, d.nextY, d.width-gutter-margin, h)
	for _, t := range r.Ticks {
		y := d.yOfLevel(r, t.Level)
		d.putf(`<line class="level" x1="%d" x2="%d" y1="%s" y2="%s"/>`, gutter, d.width-margin, y, y)
	}
	for i := range r.Items {
		next := d.To
		if i+1 < len(r.Items) {
			next = r.Items[i+1].From
		}
		d.drawItem(r, &r.Items[i], next)
	}
	d.putf("</g>")
	for _, t := range r.Ticks {
		d.putf(`<text class="scale" x="%d" y="%s">%s</text>`, gutter-6, d.yOfLevel(r, t.Level)+350,
			escapeText(t.Label))
	}
	d.putf("\n")
	d.nextY += h + r.gapBelow()
}

// yOfLevel is the height of a level in a row, downwards from the top of the picture.
func (d *drawing) yOfLevel(r *Row, level int) pixelHundredths {
	level = min(Full, max(0, level))
	return pixels(d.nextY) + pixels(r.pixelHeight())*pixelHundredths(Full-level)/Full
}

func cutText(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:max(1, limit-1)]) + "…"
}

func (d *drawing) drawItem(r *Row, it *Item, next time.Duration) {
	class := string(it.Class.orIdle())
	if it.Alert {
		class += " alert"
	}
	x := d.xAt(it.From)
	if it.Shape == Point {
		d.putf(`<circle class="point %s" data-a="%d" data-o="%s" cx="%s" cy="%s" r="2.2">%s</circle>`,
			class, micros(it.From), sanitizeID(it.ID), x, d.yOfLevel(r, it.Low), tooltip(it.Tip))
		return
	}
	low, high := it.Low, max(it.Low, it.High)
	if low == 0 && high == 0 {
		high = Full
	}
	top := d.yOfLevel(r, high)
	width := d.xAt(it.To) - x
	kind := "block"
	if it.Shape == Bar {
		kind, width = "bar", max(width, minBarWidth)
	}
	id := ""
	if it.ID != "" {
		id = ` id="` + sanitizeID(it.ID) + `"`
	}
	d.putf(`<rect%s class="%s %s" data-a="%d" data-b="%d" x="%s" y="%s" width="%s" height="%s">%s</rect>`,
		id,
		kind, class,
		micros(it.From), micros(it.To), x, top, max(width, 50), d.yOfLevel(r, low)-top, tooltip(it.Tip))
	if it.Shape == Block && it.Text != "" {
		d.drawBlockText(r, it, next)
	}
}

// fittingChars is how many characters fit into a width.
func fittingChars(width pixelHundredths) int { return int(width-textPadding) / (charWidthTenths * 10) }

// TextWidth is the estimated width of a text in pixels, with some space around it.
func TextWidth(text string) int {
	return (utf8.RuneCountInString(text)*charWidthTenths*10 + textPadding) / 100
}

// drawBlockText writes a block's text: inside if it fits, else after it where that is allowed and
// there is room, else as much of it inside as fits.
func (d *drawing) drawBlockText(r *Row, it *Item, next time.Duration) {
	x, end := d.xAt(it.From), d.xAt(it.To)
	chars := utf8.RuneCountInString(it.Text)
	class, text := string(it.Class.orIdle()), it.Text
	attrs := ""
	if it.Spill {
		attrs = fmt.Sprintf(` data-next="%d"`, micros(next))
	}
	switch room := fittingChars(end - x); {
	case room >= chars:
	case it.Spill && fittingChars(d.xAt(next)-end) >= chars:
		x, class = end, class+" spilt"
	case room >= minTextChars:
		text = cutText(it.Text, room)
	default:
		text = ""
	}
	if text != it.Text {
		attrs += ` data-full="` + escapeText(it.Text) + `"`
	}
	d.putf(`<text class="in %s" data-a="%d" data-b="%d" x="%s" y="%d"%s>%s</text>`, class,
		micros(it.From), micros(it.To), x+textPadding/2, d.nextY+r.pixelHeight()/2+4, attrs, escapeText(text))
}

// drawMarks draws the instants last, on top of everything.
func (d *drawing) drawMarks() {
	d.putf(`<g clip-path="url(#%s)">`, d.innerID())
	for _, m := range d.Marks {
		if m.At < d.From || m.At > d.To {
			continue
		}
		x := d.xAt(m.At)
		d.putf(`<g class="mark %s" data-a="%d" transform="translate(%s 0)">`, m.Class.orIdle(),
			micros(m.At), x)
		d.putf(`<line y1="%d" y2="%d"/><text x="3" y="%d">%s</text></g>`,
			axisHeight-6, d.height-margin/2, axisHeight+9, escapeText(m.Label))
	}
	d.putf("</g>\n")
}

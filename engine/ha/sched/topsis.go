package sched

import "math"

// criterion is one column of a decision matrix. For every criterion a smaller value is better.
type criterion int

const (
	averageCPU criterion = iota
	highestCPU
	averageMem
	highestMem
	criteriaCount
)

// weights are the weights of the criteria before normalisation. Memory counts more than CPU, because it
// cannot be shared.
var weights = [criteriaCount]float64{averageCPU: 1, highestCPU: 2, averageMem: 5, highestMem: 10}

// alternative is one row of a decision matrix.
type alternative [criteriaCount]float64

// topsisScores scores alternatives with TOPSIS (technique for order preference by similarity to ideal
// solution): columns are divided by their Euclidean length and weighted; the score is the distance to
// the worst point divided by the sum of the distances to the worst and the best point. A score is in [0,
// 1], and higher is better. When all alternatives are equal, each is best and worst at once and scores
// 0.
func topsisScores(rows []alternative) []float64 {
	if len(rows) == 0 {
		return nil
	}
	weighted := weightRows(rows)
	best, worst := weighted[0], weighted[0]
	for _, row := range weighted {
		for c := range row {
			best[c] = math.Min(best[c], row[c])
			worst[c] = math.Max(worst[c], row[c])
		}
	}
	scores := make([]float64, len(rows))
	for i := range weighted {
		toBest, toWorst := distance(&weighted[i], &best), distance(&weighted[i], &worst)
		if sum := toBest + toWorst; sum != 0 {
			scores[i] = toWorst / sum
		}
	}
	return scores
}

func weightRows(rows []alternative) []alternative {
	total := 0.0
	for _, weight := range weights {
		total += weight
	}
	out := make([]alternative, len(rows))
	for c := range weights {
		squares := 0.0
		for _, row := range rows {
			squares += float64(row[c] * row[c])
		}
		length := math.Sqrt(squares)
		if length == 0 {
			continue
		}
		weight := weights[c] / total
		for i, row := range rows {
			out[i][c] = float64(float64(row[c]/length) * weight)
		}
	}
	return out
}

func distance(a, b *alternative) float64 {
	squares := 0.0
	for c := range a {
		d := a[c] - b[c]
		squares += float64(d * d)
	}
	return math.Sqrt(squares)
}

// summarize returns the row for a cluster whose nodes have these loads.
func summarize(loads []load) alternative {
	var squaresCPU, squaresMem, maxCPU, maxMem float64
	for _, l := range loads {
		maxCPU = math.Max(maxCPU, l.cpu)
		squaresCPU += float64(l.cpu * l.cpu)
		maxMem = math.Max(maxMem, l.mem)
		squaresMem += float64(l.mem * l.mem)
	}
	n := float64(len(loads))
	// One is added so that the step from 0.002 to 0.004 does not count as much as the step from 0.4 to
	// 0.8.
	return alternative{
		averageCPU: 1 + math.Sqrt(squaresCPU/n),
		highestCPU: 1 + maxCPU,
		averageMem: 1 + math.Sqrt(squaresMem/n),
		highestMem: 1 + maxMem,
	}
}

// Package reports shows a finished run to people and programs: as a folder of plain files, one self-contained
// HTML page, a picture and a few lines for a terminal.
//
// What to use when:
//
//   - I have a run and want its folder, with the page: [WriteRun], or [Options.WriteRun] to choose what is in
//     it. [Paths] names the files.
//   - I want a few lines on a terminal: [TextOptions.Text]. I want the numbers: [Summarize].
//   - I have a folder and want the run back: [ReadRun] returns a [Saved]; [Saved.Decode] gives it its
//     subject, so that its checks can be repeated, and [Saved.Options] renders it again.
//   - A run is long, and its records must not stay in memory: a [Recorder], whose Take is RunOptions.Records.
//   - A folder got a file that the page shows, or two runs belong side by side: [RewritePage],
//     [WriteLikelihood].
//   - I have many runs: package reports/campaign counts outcomes, reports/junit and reports/github write them
//     for CI.
//
// It shows verdicts and never makes any: nothing here checks a history, repeats a run or corrects
// what it was given. Whatever it is given may be hostile (values, keys and log lines come from the
// system under test), so every output escapes it.
package reports

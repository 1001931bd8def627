module example.com/notes

go 1.26.0

require github.com/holdfast-sim/holdfast v0.0.0

replace github.com/holdfast-sim/holdfast => ../../../..

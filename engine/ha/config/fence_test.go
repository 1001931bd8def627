package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

const someFencing = `# two power supplies, then the management board
device rack:1 fence_apc ip=10.0.0.1 p=secret
device rack:2 fence_apc ip=10.0.0.2
device board fence_ipmilan action=off
connect rack:1 node=n1 plug=3
connect rack:2 node=n1 plug=4
connect rack:1 node=n2 plug=5
connect rack:2 node=n3 plug=6
connect board node=n1 ip=10.1.0.1
connect board node=n2 ip=10.1.0.2
`

func TestFenceCommands(t *testing.T) {
	cfg, err := config.ParseFence(someFencing)
	require.NoError(t, err)
	require.Equal(t, [][]config.FenceCommand{
		{
			{Agent: "fence_apc", Args: []string{"--ip=10.0.0.1", "-p", "secret", "--plug=3"}},
			{Agent: "fence_apc", Args: []string{"--ip=10.0.0.2", "--plug=4"}},
		},
		{{Agent: "fence_ipmilan", Args: []string{"--action=off", "--ip=10.1.0.1"}}},
	}, cfg.Commands("n1"))
	require.Len(t, cfg.Commands("n2"), 1, "one of two power supplies resets nothing")
	require.Empty(t, cfg.Commands("n3"))
	require.Empty(t, cfg.Commands("n9"))
}

// TestFenceArguments: quotes, blanks, bare flags and values with an equals sign.
func TestFenceArguments(t *testing.T) {
	cfg, err := config.ParseFence("\t# behind a blank\r\n" +
		`device a fence_x ip="10.0.0.1" username=öµ€ password="1 \"2" x ssh=1 q='a\b' e= k=a=b` + "\r\n" +
		"  connect a   node='n1'\tplug=3 y\r\n")
	require.NoError(t, err)
	require.Equal(t, [][]config.FenceCommand{{{Agent: "fence_x", Args: []string{"--ip=10.0.0.1",
		"--username=öµ€",
		`--password=1 "2`, "-x", "--ssh=1", "-q", `a\b`, "-e", "", "-k", "a=b", "--plug=3", "-y"}}}},
		cfg.Commands("n1"))
	require.Equal(t, config.FenceArg{Key: "x", Bare: true}, cfg.Devices[0].Parts[0].Args[3])
}

// TestFenceErrorsNameEveryLine of a file, on one line.
func TestFenceErrorsNameEveryLine(t *testing.T) {
	_, err := config.ParseFence("\nconnect x node=n1\n# \nconnect x node=n2\ndevice x a\nplug x a\n")
	require.ErrorIs(t, err, config.ErrFenceFile)
	require.EqualError(t, err, "read fence devices, line 2: device x is not defined above; "+
		`line 4: device x is not defined above; line 6: "plug" is neither device nor connect`)
}

func TestFenceErrors(t *testing.T) {
	for name, text := range map[string]string{
		"short":         "device x\n",
		"unknown verb":  "plug x fence_apc\n",
		"bad name":      "device x:y fence_apc\n",
		"bad argument":  "device x fence_apc =ip\n",
		"empty word":    "device x fence_apc ''\n",
		"open quote":    "device x fence_apc p='12\n",
		"backslash":     "device x fence_apc p=12\\\n",
		"odd blank":     "device x fence_apc p=12\u00a0ip=1\n",
		"not text":      "device x fence_apc p=\xff\n",
		"control":       "device x fence_apc p=\x00\n",
		"twice":         "device x a\ndevice x:1 a\n",
		"not defined":   "connect x node=n1\n",
		"other number":  "device x a\nconnect x:2 node=n1\n",
		"no node":       "device x a\nconnect x ip=1\n",
		"bare node":     "device x a\nconnect x node\n",
		"node twice":    "device x a\nconnect x node=n1\nconnect x node=n1\n",
		"not connected": "device x a\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.ParseFence(text)
			require.Error(t, err)
		})
	}
}

func FuzzParseFence(f *testing.F) {
	f.Add(someFencing)
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := config.ParseFence(text)
		if err != nil {
			return
		}
		for _, device := range cfg.Devices {
			for _, part := range device.Parts {
				for node := range part.Nodes {
					for _, calls := range cfg.Commands(node) {
						require.NotEmpty(t, calls)
					}
				}
			}
		}
	})
}

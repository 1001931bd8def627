package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

// tokenArg is the argument that asks for a token instead of running a node.
const tokenArg = "api-token"

const tokenHelp = `api-token makes a token with which a client may use the node's API over TCP (api_addr
in the machine file), adds its hash to the list of clients, and prints it once. A client sends it as
"Authorization: Bearer TOKEN"; ha-manager reads it from the file that $HOLDFAST_API_TOKEN_FILE names.

If the node has no certificate yet, api-token makes one that it signs itself; clients then need it as their
authority ($HOLDFAST_API_CA). A running node uses the new token within a second. To withdraw a token, delete
its entry from the list or run api-token with --remove.`

// runToken runs the command and returns its exit code.
func runToken(args []string, stdout, stderr io.Writer) int {
	var role string
	var remove bool
	cmd := &cobra.Command{Use: "holdfastd " + tokenArg + " NAME MACHINE-FILE", Long: tokenHelp,
		Args: cobra.ExactArgs(2), SilenceUsage: true, SilenceErrors: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return changeTokens(args[0], args[1], hostapi.Role(role), remove, stdout)
		}}
	cmd.Flags().StringVar(&role, "role", string(hostapi.RoleRead),
		"what the client may do: `read` for everything that changes nothing, or write")
	cmd.Flags().BoolVar(&remove, "remove", false, "withdraw the token of this name instead")
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.Execute(); err != nil {
		fmt.Fprintf(stderr, "holdfastd %s: %v\n", tokenArg, err)
		return nodemain.ExitUsage
	}
	return nodemain.ExitOK
}

// changeTokens adds or removes the token of a name.
func changeTokens(name, machineFile string, role hostapi.Role, remove bool, stdout io.Writer) error {
	file, err := host.ReadMachineFile(machineFile)
	if err != nil {
		return err
	}
	at := file.Config(filepath.Dir(machineFile)).Remote
	if at.Addr == "" {
		return fmt.Errorf("%s has no \"api_addr\": write the address at which the API is served over TCP, "+
			"such as \"198.18.0.1:8600\"; the socket needs no token", machineFile)
	}
	clients, err := readClients(at.ClientsFile)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(clients.Tokens, func(t hostapi.TokenEntry) bool { return t.Name == name })
	if remove {
		if i < 0 {
			return fmt.Errorf("%s has no token called %q", at.ClientsFile, name)
		}
		clients.Tokens = slices.Delete(clients.Tokens, i, i+1)
		return writeClients(at.ClientsFile, clients)
	}
	if i >= 0 {
		return fmt.Errorf("%s has a token called %q already: choose another name, or withdraw it with "+
			"--remove", at.ClientsFile, name)
	}
	token := rand.Text()
	clients.Tokens = append(clients.Tokens, hostapi.TokenEntry{Name: name, Role: role,
		SHA256: hostapi.HashToken(token)})
	if err := makeCertificate(at, machineName(file, filepath.Dir(machineFile))); err != nil {
		return err
	}
	if err := writeClients(at.ClientsFile, clients); err != nil {
		return err
	}
	fmt.Fprintln(stdout, token)
	return nil
}

func readClients(path string) (*hostapi.ClientsFile, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &hostapi.ClientsFile{}, nil
	}
	if err != nil {
		return nil, err
	}
	clients, err := hostapi.DecodeClients(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return clients, nil
}

// writeClients replaces the list: a running node sees the old one or the new one.
func writeClients(path string, clients *hostapi.ClientsFile) error {
	data, err := json.MarshalIndent(clients, "", "  ")
	if err != nil {
		return err
	}
	if _, err := hostapi.DecodeClients(data); err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// certificateLife is how long a certificate that the node signs itself is valid.
const certificateLife = 10 * 365 * 24 * time.Hour

// machineName returns the name that the node has when it runs: that of the machine file or of the
// nodelist. It is empty while the node has neither.
func machineName(file *host.MachineFile, dir string) string {
	if file.Name != "" {
		return file.Name
	}
	path := filepath.Join(dir, pve.ConfFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	conf, _, err := corosync.Parse(path, data)
	if err != nil || int(file.Machine) < 0 || int(file.Machine) >= len(conf.Nodes) {
		return ""
	}
	return conf.Nodes[file.Machine].Name
}

// makeCertificate makes a certificate for the node's address and name, unless there is one. Its subject is
// never empty, because programs that use OpenSSL refuse a certificate without one.
func makeCertificate(at hostapi.Remote, name string) error {
	if _, err := os.Stat(at.CertFile); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: serial,
		Subject:   pkix.Name{CommonName: cmp.Or(name, "holdfast")},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"}}
	if name != "" {
		template.DNSNames = append(template.DNSNames, name)
	}
	if hostName, _, err := net.SplitHostPort(at.Addr); err != nil {
		return fmt.Errorf("api_addr %q: %w", at.Addr, err)
	} else if ip := net.ParseIP(hostName); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if hostName != "" {
		template.DNSNames = append(template.DNSNames, hostName)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(at.KeyFile, "PRIVATE KEY", secret, 0o600); err != nil {
		return err
	}
	return writePEM(at.CertFile, "CERTIFICATE", der, 0o644)
}

func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// Package wire seals the datagrams that the nodes of one cluster exchange, and opens them.
//
// Every boot of a node draws 16 random bytes; HKDF over them, the node id and the shared cluster
// key yields an AES-256-GCM key that is used by this boot alone, with a packet counter as nonce.
// A nonce therefore never repeats under a key, without any state that must survive a crash. The
// header names version, node, boot and counter in the clear and is authenticated with the rest.
//
// Boots of a node are numbered; the caller persists the number. Once a packet of a newer boot was
// accepted, packets of older ones are refused, and within a boot a window over the counter
// refuses what was seen before. What cannot be opened changes nothing but a count.
//
// Package wire never sends, never reads a clock and never draws random numbers itself.
package wire

// Package wire seals the datagrams that the nodes of one cluster exchange, and opens them.
//
// Every boot of a node draws 16 random bytes. HKDF-SHA256 (RFC 5869) over them, the node id and the shared
// cluster key yields an AES-256-GCM key that only this boot uses, with a packet counter as nonce. A nonce
// therefore never repeats under a key, and no state has to survive a crash for that. The header holds
// version, node, boot and counter in the clear and is authenticated with the payload.
//
// Boots of a node are numbered; the caller stores the number. Once a packet of a newer boot was accepted,
// packets of older boots are refused. Within a boot, a window over the counter refuses packets that were
// accepted before. A packet that cannot be opened changes nothing but a counter of [Stats].
//
// Package wire never sends, never reads a clock and never draws random numbers.
package wire

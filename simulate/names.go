package simulate

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"unsafe"
)

// names numbers the sessions, and ranks them by tenant and session. It holds every name once, in large pieces, and about
// twenty bytes beside it: there may be many millions.
type names struct {
	seed   maphash.Seed
	pieces [][]byte
	at     []nameAt // by id
	places []uint32 // a hash table with linear probing: id + 1, as many as a power of two
}

// nameAt says where a name stands: the tenant's length, the tenant, the session's length, the session.
type nameAt struct{ piece, offset uint32 }

// pieceSize is that of a piece of names, in bytes. Longer names have a piece of their own.
const pieceSize = 1 << 20

func newNames() *names {
	return &names{seed: maphash.MakeSeed(), places: make([]uint32, 1024)}
}

// name returns a name's parts, which share the memory of n.
func (n *names) name(id uint32) (tenant, session string) {
	at := n.at[id]
	text := n.pieces[at.piece][at.offset:]
	next := func() string {
		size, k := binary.Uvarint(text)
		part := text[k : k+int(size)]
		text = text[k+int(size):]
		return unsafe.String(unsafe.SliceData(part), len(part))
	}
	tenant = next()
	return tenant, next()
}

func (n *names) hash(tenant, session string) uint64 {
	return maphash.String(n.seed, tenant)*0x9e3779b97f4a7c15 ^ maphash.String(n.seed, session)
}

// id returns the number of a name, the next one where it is new.
func (n *names) id(tenant, session string) uint32 {
	mask := uint64(len(n.places) - 1)
	h := n.hash(tenant, session) & mask
	for ; n.places[h] != 0; h = (h + 1) & mask {
		if t, s := n.name(n.places[h] - 1); t == tenant && s == session {
			return n.places[h] - 1
		}
	}
	id := uint32(len(n.at))
	n.at = append(n.at, n.keep(tenant, session))
	n.places[h] = id + 1
	if len(n.at) > len(n.places)/4*3 {
		n.grow()
	}
	return id
}

// keep writes a name down. Pieces never move, so that names can share their memory.
func (n *names) keep(tenant, session string) nameAt {
	size := len(tenant) + len(session) + 2*binary.MaxVarintLen64
	last := len(n.pieces) - 1
	if last < 0 || cap(n.pieces[last])-len(n.pieces[last]) < size {
		n.pieces = append(n.pieces, make([]byte, 0, max(size, pieceSize)))
		last++
	}
	p := n.pieces[last]
	at := nameAt{uint32(last), uint32(len(p))}
	for _, part := range []string{tenant, session} {
		p = append(binary.AppendUvarint(p, uint64(len(part))), part...)
	}
	n.pieces[last] = p
	return at
}

func (n *names) grow() {
	n.places = make([]uint32, 2*len(n.places))
	mask := uint64(len(n.places) - 1)
	for id := range n.at {
		h := n.hash(n.name(uint32(id))) & mask
		for n.places[h] != 0 {
			h = (h + 1) & mask
		}
		n.places[h] = uint32(id) + 1
	}
}

// ranks returns, by id, the place of each name in the order of tenant and session. Nothing can be looked up afterwards.
func (n *names) ranks() []uint32 {
	n.places = nil
	order := make([]uint32, len(n.at))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		at, as := n.name(a)
		bt, bs := n.name(b)
		if at != bt {
			return strings.Compare(at, bt)
		}
		return strings.Compare(as, bs)
	})
	rank := make([]uint32, len(order))
	for i, id := range order {
		rank[id] = uint32(i)
	}
	return rank
}

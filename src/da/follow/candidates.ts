/*
 * Halves of blocks that were found on DA and wait: for the blocks below, for the other half, or for execution to name
 * their proposer. All that speak for a height are kept, within bounds, since anybody may post.
 */
import type { KvOp } from '../../core/kv.ts'
import type { DAHeaderEnvelope } from '../../types/codec.ts'
import { concatBytes, uint64BigEndian } from '../../util/bytes.ts'
import { type HalfKind, type HalfName, halfKey, textOf } from '../records.ts'

/** A half that waits. */
export interface Candidate {
  readonly name: HalfName
  /** DA height at which it was found. */
  readonly daHeight: number
  /** Its bytes, as on DA. */
  readonly bytes: Uint8Array
  /** Address of whoever claims to have signed it. */
  readonly author: Uint8Array
  /** What a header's bytes hold; undefined for data. */
  readonly envelope: DAHeaderEnvelope | undefined
  /** Proven: validly signed by the expected proposer, or data that a stored header commits to. Others are strangers. */
  readonly trusted: boolean
}

/** Bounds of {@link Candidates}. Defaults in brackets. */
export interface CandidateLimits {
  /** Candidates of one kind for one height [4]. */
  readonly perHeight?: number
  /** Heights above the header store [2,000]. */
  readonly window?: number
  /** Bytes in all [64 MiB]. */
  readonly maxBytes?: number
}

/** Candidates within bounds. */
export interface Candidates {
  readonly size: number
  readonly bytes: number
  /**
   * Takes a candidate; `above` is the height of the header store. Returns those that were let go of for it, which may
   * be itself: strangers before trusted ones, high before low, data before headers. What is here already stays.
   */
  offer(candidate: Candidate, above: number): readonly Candidate[]
  /** Those of a height, trusted ones first, then in the order they came. */
  at(height: number, kind: HalfKind): readonly Candidate[]
  find(name: HalfName): Candidate | undefined
  /** Puts another judgement of the same half in its place. */
  replace(candidate: Candidate): void
  /** Takes a candidate away, from the disk too. */
  remove(candidate: Candidate): void
  /** Says that a half lies on disk already, whether it is offered or not. */
  onDisk(name: HalfName): void
  all(): readonly Candidate[]
  /** Those at or below the given heights, per kind. */
  upTo(heights: Readonly<Record<HalfKind, number>>): readonly Candidate[]
  /** The changes since the last call, as they are kept on disk. */
  takeChanges(): KvOp[]
}

/** What a candidate weighs beyond its bytes. */
const OVERHEAD = 512

function weight(candidate: Candidate): number {
  return candidate.bytes.length + OVERHEAD
}

/** How a candidate is kept on disk. */
export function candidateOp({ name, daHeight, bytes }: Candidate): KvOp {
  return { type: 'put', key: halfKey(name), value: concatBytes(uint64BigEndian(daHeight), bytes) }
}

/** Makes {@link Candidates}, empty. */
export function createCandidates(limits: CandidateLimits = {}): Candidates {
  const { perHeight = 4, window = 2_000, maxBytes = 64 * 1024 * 1024 } = limits
  const byHeight = new Map<number, Map<string, Candidate>>()
  const strangers = new Map<string, Candidate>()
  const changed = new Map<string, Candidate | HalfName>()
  /** What lies on disk: what comes and goes between two writes never gets there. */
  const written = new Set<string>()
  let size = 0
  let bytes = 0

  function put(candidate: Candidate): void {
    const { name } = candidate
    const id = textOf(name)
    const there = byHeight.get(name.height) ?? new Map<string, Candidate>()
    const before = there.get(id)
    if (before === undefined) size++
    else bytes -= weight(before)
    bytes += weight(candidate)
    byHeight.set(name.height, there.set(id, candidate))
    if (candidate.trusted) strangers.delete(id)
    else strangers.set(id, candidate)
    if (before === undefined || before.bytes !== candidate.bytes) changed.set(id, candidate)
  }

  function remove({ name }: Candidate): void {
    const id = textOf(name)
    if (written.has(id)) changed.set(id, name)
    else changed.delete(id)
    const there = byHeight.get(name.height)
    const before = there?.get(id)
    if (there === undefined || before === undefined) return
    there.delete(id)
    if (there.size === 0) byHeight.delete(name.height)
    strangers.delete(id)
    size--
    bytes -= weight(before)
  }

  function at(height: number, kind: HalfKind): readonly Candidate[] {
    const there = byHeight.get(height)
    if (there === undefined) return []
    const trusted: Candidate[] = []
    const others: Candidate[] = []
    for (const one of there.values()) {
      if (one.name.kind === kind) (one.trusted ? trusted : others).push(one)
    }
    return others.length === 0 ? trusted : [...trusted, ...others]
  }

  /** The trusted one that is needed last, if it is needed later than `than`. */
  function latest(than: Candidate): Candidate | undefined {
    let found = than
    for (const there of byHeight.values()) {
      for (const one of there.values()) if (one.trusted && later(one, found)) found = one
    }
    return found === than ? undefined : found
  }

  function offer(candidate: Candidate, above: number): readonly Candidate[] {
    const { name, trusted } = candidate
    if (find(name) !== undefined) return []
    if (name.height > above + window || weight(candidate) > maxBytes) return [candidate]
    const gone: Candidate[] = []
    const rivals = at(name.height, name.kind)
    if (rivals.length >= perHeight) {
      const last = rivals.at(-1)
      if (!trusted || last === undefined || last.trusted) return [candidate]
      remove(last)
      gone.push(last)
    }
    while (bytes + weight(candidate) > maxBytes) {
      const [stranger] = trusted ? strangers.values() : []
      const leaving = stranger ?? (trusted ? latest(candidate) : undefined)
      if (leaving === undefined) return [...gone, candidate]
      remove(leaving)
      gone.push(leaving)
    }
    put(candidate)
    return gone
  }

  function find(name: HalfName): Candidate | undefined {
    return byHeight.get(name.height)?.get(textOf(name))
  }

  return {
    get size() {
      return size
    },
    get bytes() {
      return bytes
    },
    offer,
    at,
    find,
    replace(candidate) {
      if (find(candidate.name) !== undefined) put(candidate)
    },
    remove,
    onDisk: (name) => void written.add(textOf(name)),
    all: () => [...byHeight.values()].flatMap((there) => [...there.values()]),
    upTo(heights) {
      const found: Candidate[] = []
      for (const [height, there] of byHeight) {
        if (height > heights.header && height > heights.data) continue
        for (const one of there.values()) if (height <= heights[one.name.kind]) found.push(one)
      }
      return found
    },
    takeChanges() {
      const ops: KvOp[] = []
      for (const [id, one] of changed) {
        if ('bytes' in one) {
          written.add(id)
          ops.push(candidateOp(one))
        } else {
          written.delete(id)
          ops.push({ type: 'del', key: halfKey(one) })
        }
      }
      changed.clear()
      return ops
    },
  }
}

/** Whether `a` is needed later than `b`: what is needed next is never let go of for what is needed after it. */
function later(a: Candidate, b: Candidate): boolean {
  if (a.name.height !== b.name.height) return a.name.height > b.name.height
  return a.name.kind === 'data' && b.name.kind === 'header'
}

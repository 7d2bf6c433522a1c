/*
 * What becomes of a half that was found on DA: noted, kept as a candidate, let go of, or passed over.
 */
import type { HeaderStore } from '../../core/header.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Proposers } from '../../core/proposers.ts'
import type { P2PData } from '../../types/data.ts'
import { headerHash, type P2PSignedHeader, type SignedHeader } from '../../types/header.ts'
import { EMPTY_BYTES, equalBytes } from '../../util/bytes.ts'
import type { HalfKind, HalfName } from '../records.ts'
import type { Candidate } from './candidates.ts'
import { withDoubt, withLost } from './cursor.ts'
import type { FoundData, FoundHeader } from './found.ts'
import type { Journal } from './journal.ts'
import type { Judge } from './judge.ts'
import { FOLLOW_METRICS } from './metrics.ts'
import { isSigned } from './signed.ts'

/** What an {@link Intake} needs. */
export interface IntakeDeps {
  readonly journal: Journal
  readonly judge: Judge
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  readonly proposers: Proposers
  readonly metrics: Metrics
  /** Told of a second header for a stored height, signed by the proposer of the first. */
  readonly conflict: (header: SignedHeader, daHeight: number) => void
  /** Told of each header that is not stored and is validly signed by its expected proposer. */
  readonly seen: (height: number, author: Uint8Array) => void
}

/** Takes halves in. Rejects only with failures of the stores. */
export interface Intake {
  header(found: FoundHeader, daHeight: number): Promise<void>
  data(found: FoundData, daHeight: number): Promise<void>
  /** Notes that halves of up to a block height, not by the expected proposer, were not even looked at. */
  crowdedOut(height: number, daHeight: number): void
  /** Takes in again what lay on disk. */
  restore(found: FoundHeader | FoundData, daHeight: number): Promise<void>
  /** A store has held heights up to this one: if it loses them, their halves are looked for again. */
  passed(kind: HalfKind, height: number): void
  /** Judges a candidate once more: something has become known since. Tells what is left of it. */
  again(candidate: Candidate): Promise<Candidate | undefined>
}

/** Makes an {@link Intake}. `window` is that of the candidates: heights above the header store. */
export function createIntake(
  deps: IntakeDeps,
  { chainId, window }: { readonly chainId: string; readonly window: number },
): Intake {
  const { journal, judge, headers, data, proposers, metrics, conflict, seen } = deps
  const { candidates } = journal

  function letGo(candidate: Candidate): void {
    const { name, daHeight, trusted } = candidate
    const { kind, height } = name
    metrics.count(FOLLOW_METRICS.letGo, 1, { kind })
    const stores = { header: headers.height, data: data.height }
    if (trusted) journal.cursor = withLost(journal.cursor, candidate, stores)
    else doubt(height, daHeight)
  }

  function doubt(height: number, daHeight: number): void {
    if (height <= proposers.provenUpTo) return
    // What a stranger says of far heights is not remembered for longer than the rest.
    journal.cursor = withDoubt(journal.cursor, daHeight, Math.min(height, headers.height + window))
  }

  function passed(kind: HalfKind, height: number): void {
    const { stores } = journal.cursor
    if (height > stores[kind]) journal.cursor = { ...journal.cursor, stores: { ...stores, [kind]: height } }
  }

  function offer(candidate: Candidate): void {
    const { name, trusted, envelope } = candidate
    const known = candidates.find(name)
    if (known !== undefined) {
      if (known.trusted || equalBytes(known.bytes, candidate.bytes)) return
      // The hash of a header does not cover its signature: a copy with a bad one must not stand for the real one.
      const better =
        envelope !== undefined && known.envelope !== undefined && !isSigned(known.envelope.header)
      if (trusted || (better && isSigned(envelope.header))) candidates.replace(candidate)
      return
    }
    const lost = journal.cursor.lost[name.kind]
    // What lies above something lost is met again when we go back for it.
    if (trusted && lost !== undefined && name.height >= lost.height) letGo(candidate)
    else for (const gone of candidates.offer(candidate, headers.height)) letGo(gone)
  }

  /** Strict from the next DA height on, so that reading this one again gives the same. */
  function seeEnvelope(found: FoundHeader, daHeight: number): void {
    if (found.envelopeSignature.length === 0 || journal.cursor.strictFrom !== undefined) return
    journal.cursor = { ...journal.cursor, strictFrom: daHeight }
  }

  async function takeHeader(found: FoundHeader, daHeight: number): Promise<void> {
    const { strictFrom } = journal.cursor
    const strict = strictFrom !== undefined && daHeight > strictFrom
    const candidate = headerCandidate(found, daHeight)
    const { name } = candidate
    const judgement = await judge.header(found, { strict, proven: false })
    switch (judgement) {
      case 'stored':
        passed('header', name.height)
        journal.note(name, daHeight)
        seeEnvelope(found, daHeight)
        return
      case 'conflict':
        conflict(found.header, daHeight)
        return
      case 'trusted':
        seen(name.height, candidate.author)
        journal.note(name, daHeight)
        seeEnvelope(found, daHeight)
        offer({ ...candidate, trusted: true })
        return
      case 'stranger':
        if (name.height <= headers.height) letGo(candidate)
        else offer(candidate)
        return
      case 'junk':
        metrics.count(FOLLOW_METRICS.dropped, 1, { reason: 'junk' })
    }
  }

  async function takeData(found: FoundData, daHeight: number): Promise<void> {
    const candidate = dataCandidate(found, daHeight)
    const { name } = candidate
    const judgement = await judge.data(found)
    if (judgement === 'junk') {
      metrics.count(FOLLOW_METRICS.dropped, 1, { reason: 'junk' })
      return
    }
    const trusted = judgement === 'trusted' || judgement === 'vouched'
    if (judgement === 'trusted') journal.note(name, daHeight)
    if (trusted && name.height <= data.height) passed('data', name.height)
    else if (!trusted && name.height <= headers.height) letGo(candidate)
    else offer({ ...candidate, trusted })
  }

  async function rejudge(candidate: Candidate): Promise<Candidate | undefined> {
    const { name, daHeight, envelope } = candidate
    const stored = name.height <= headers.height
    const judgement =
      envelope === undefined
        ? await judge.data(dataOf(candidate, chainId))
        : await judge.header(
            { ...envelope, bytes: candidate.bytes },
            {
              strict: false,
              proven: candidate.trusted,
            },
          )
    if (judgement === 'conflict' && envelope !== undefined) conflict(envelope.header, daHeight)
    if (judgement === 'stored' || judgement === 'trusted') journal.note(name, daHeight)
    // It is let go of here: the store may lose it before its height is looked at the next time.
    if (judgement === 'stored') passed('header', name.height)
    if (judgement === 'stranger' && stored) letGo({ ...candidate, trusted: false })
    if (judgement === 'trusted' || judgement === 'vouched') {
      if (envelope !== undefined) seen(name.height, candidate.author)
      return { ...candidate, trusted: true }
    }
    return judgement === 'stranger' && !stored ? { ...candidate, trusted: false } : undefined
  }

  return {
    passed,
    async header(found, daHeight) {
      metrics.count(FOLLOW_METRICS.found, 1, { kind: 'header' })
      await takeHeader(found, daHeight)
    },
    async data(found, daHeight) {
      metrics.count(FOLLOW_METRICS.found, 1, { kind: 'data' })
      await takeData(found, daHeight)
    },
    crowdedOut: doubt,
    async restore(found, daHeight) {
      const candidate =
        'envelopeSignature' in found ? headerCandidate(found, daHeight) : dataCandidate(found, daHeight)
      candidates.onDisk(candidate.name)
      const left = await rejudge(candidate)
      for (const gone of left === undefined ? [] : candidates.offer(left, headers.height)) {
        letGo(gone)
        candidates.remove(gone)
      }
      if (left === undefined) candidates.remove(candidate)
    },
    async again(candidate) {
      const left = await rejudge(candidate)
      if (left === undefined) candidates.remove(candidate)
      else candidates.replace(left)
      return left
    },
  }
}

function headerCandidate(found: FoundHeader, daHeight: number): Candidate {
  const { header } = found.header
  const name: HalfName = { height: header.height, kind: 'header', hash: headerHash(header) }
  return {
    name,
    daHeight,
    bytes: found.bytes,
    author: header.proposerAddress,
    envelope: { header: found.header, envelopeSignature: found.envelopeSignature },
    trusted: false,
  }
}

function dataCandidate(found: FoundData, daHeight: number): Candidate {
  const name: HalfName = { height: found.height, kind: 'data', hash: found.commitment }
  return {
    name,
    daHeight,
    bytes: found.bytes,
    author: found.signer.address,
    envelope: undefined,
    trusted: false,
  }
}

function dataOf({ name, bytes, author }: Candidate, chainId: string): FoundData {
  const { height, hash: commitment } = name
  return { chainId, height, commitment, signer: { address: author, publicKey: EMPTY_BYTES }, bytes }
}

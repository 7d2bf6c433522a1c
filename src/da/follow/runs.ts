/*
 * The next headers and data for the stores, put together from candidates.
 */
import type { HeaderStore } from '../../core/header.ts'
import { decodeSignedData } from '../../types/codec.ts'
import { dataHash, emptyDataFor, isEmptyCommitment, type P2PData } from '../../types/data.ts'
import type { Genesis } from '../../types/genesis.ts'
import { headerHash, type P2PSignedHeader } from '../../types/header.ts'
import { EMPTY_BYTES, equalBytes } from '../../util/bytes.ts'
import type { HalfKind } from '../records.ts'
import type { Candidate, Candidates } from './candidates.ts'

/** Most items, and about the most bytes, of one run. */
const MAX_ITEMS = 256
const MAX_BYTES = 8 * 1024 * 1024

/** Items that ascend without gap and continue a store. */
export interface Run<H> {
  readonly kind: HalfKind
  readonly from: number
  readonly items: readonly H[]
  /** What each item was made of; undefined for data that follows from its header. */
  readonly candidates: readonly (Candidate | undefined)[]
}

/** Puts {@link Run}s together; undefined when nothing continues the store. */
export interface Runs {
  headers(): Promise<Run<P2PSignedHeader> | undefined>
  data(): Promise<Run<P2PData> | undefined>
}

/** The height that continues a store. */
export function nextOf(
  { height }: { readonly height: number },
  { initialHeight }: Pick<Genesis, 'initialHeight'>,
): number {
  return height === 0 ? initialHeight : height + 1
}

/** Makes {@link Runs}. */
export function createRuns(deps: {
  readonly candidates: Candidates
  readonly genesis: Genesis
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
}): Runs {
  const { candidates, genesis, headers, data } = deps
  const { initialHeight } = genesis

  /** The data of a block: a header commits to the transactions only, and the rest follows from it and the data below. */
  function dataFor(
    { header }: P2PSignedHeader,
    lastDataHash: Uint8Array,
  ): { readonly item: P2PData; readonly candidate: Candidate | undefined } | undefined {
    const { chainId, height, time } = header
    if (isEmptyCommitment(header.dataHash)) {
      return { item: emptyDataFor(header, lastDataHash), candidate: undefined }
    }
    const candidate = candidates.at(height, 'data').find(({ name }) => equalBytes(name.hash, header.dataHash))
    if (candidate === undefined) return undefined
    const { txs } = decodeSignedData(candidate.bytes).data
    const metadata = { chainId, height, time, lastDataHash }
    return { item: { metadata, txs, daHeightHint: candidate.daHeight }, candidate }
  }

  return {
    async headers() {
      const from = nextOf(headers, genesis)
      if (candidates.at(from, 'header').length === 0) return undefined
      const head = await headers.head()
      let below = head === undefined ? undefined : headerHash(head.header)
      const items: P2PSignedHeader[] = []
      const found: Candidate[] = []
      let bytes = 0
      while (items.length < MAX_ITEMS && bytes < MAX_BYTES) {
        const next = candidates
          .at(from + items.length, 'header')
          .find((one) => one.trusted && linksTo(below, one))
        if (next?.envelope === undefined) break
        const { header: signed } = next.envelope
        items.push({ ...signed, daHeightHint: next.daHeight })
        found.push(next)
        bytes += next.bytes.length
        below = headerHash(signed.header)
      }
      return items.length === 0 ? undefined : { kind: 'header', from, items, candidates: found }
    },
    async data() {
      const from = nextOf(data, genesis)
      const first = await headers.at(from)
      if (first === undefined || (from !== initialHeight && data.height === 0)) return undefined
      const last = await data.head()
      let below = last === undefined ? EMPTY_BYTES : dataHash(last)
      if (dataFor(first, below) === undefined) return undefined
      const items: P2PData[] = []
      const found: (Candidate | undefined)[] = []
      let bytes = 0
      let fromDa = false
      for (const header of await headers.range(from, from + MAX_ITEMS)) {
        const next = bytes < MAX_BYTES ? dataFor(header, below) : undefined
        if (next === undefined) break
        items.push(next.item)
        found.push(next.candidate)
        bytes += next.candidate?.bytes.length ?? 0
        below = dataHash(next.item)
        fromDa ||= next.candidate !== undefined || (header.daHeightHint ?? 0) > 0
      }
      // Data without transactions is left to data sync where peers brought the headers.
      return fromDa ? { kind: 'data', from, items, candidates: found } : undefined
    },
  }
}

/** The first header of a chain links to nothing. */
function linksTo(below: Uint8Array | undefined, { envelope }: Candidate): boolean {
  return below === undefined || equalBytes(envelope?.header.header.lastHeaderHash ?? EMPTY_BYTES, below)
}

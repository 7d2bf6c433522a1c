/*
 * Reads the blocks of a snapshot: each links to the one below, so that the last header vouches for all of them.
 */
import type { KvOp } from '../core/kv.ts'
import { pointerOps, type StoreEnds } from '../header/store/recover.ts'
import { finalOps } from '../store/inclusions.ts'
import { KEYS } from '../store/keys.ts'
import { prunedOps } from '../store/prune.ts'
import { blockOps, heightOp, stateOp } from '../store/records.ts'
import { damaged, type SnapshotFrame, type SnapshotManifest } from '../store/snapshot-format.ts'
import { decodeP2PData, decodeP2PSignedHeader, decodeState } from '../types/codec.ts'
import { dataHash, type P2PData } from '../types/data.ts'
import type { Genesis } from '../types/genesis.ts'
import { headerHash, type P2PSignedHeader } from '../types/header.ts'
import type { State } from '../types/state.ts'
import { validatePair } from '../types/validate.ts'
import { EMPTY_BYTES, equalBytes } from '../util/bytes.ts'
import { describeError } from '../util/errors.ts'

/** Takes the blocks of a snapshot in order. What it throws is `SNAPSHOT_DAMAGED`. */
export interface ChainReader {
  /** The last height it took. */
  readonly height: number
  block(frame: Extract<SnapshotFrame, { kind: 'block' }>): KvOp[]
  genesisState(bytes: Uint8Array): State
  /** Changes that make the store end here; throws when it does not end where it should. */
  end(): KvOp[]
}

/** Makes a {@link ChainReader} for the snapshot of a manifest. */
export function createChainReader(genesis: Genesis, manifest: SnapshotManifest): ChainReader {
  const { firstHeight, firstState, height: last, initialHeight } = manifest
  let height = firstHeight - 1
  let before: { readonly header: P2PSignedHeader; readonly data: P2PData } | undefined
  let first: typeof before
  /** The state below the next block, where it is known. */
  let below: State | undefined

  function checkState(state: State, at: number): State {
    const ours = state.chainId === genesis.chainId && state.initialHeight === initialHeight
    if (!ours || state.lastBlockHeight !== at) throw damaged(`the state of height ${at} is another one`)
    return state
  }

  function assertLinked({ header }: P2PSignedHeader, data: P2PData): void {
    const at = header.height
    const same = header.chainId === genesis.chainId && data.metadata?.height === at
    const linked =
      before === undefined
        ? firstHeight > initialHeight || header.lastHeaderHash.length === 0
        : equalBytes(headerHash(before.header.header), header.lastHeaderHash) &&
          equalBytes(dataHash(before.data), data.metadata?.lastDataHash ?? EMPTY_BYTES)
    if (!same || !linked) throw damaged(`block ${at} does not link to the one below`)
    if (below === undefined) return
    const fits =
      equalBytes(below.appHash, header.appHash) &&
      equalBytes(proposerAfter(below, genesis), header.proposerAddress)
    if (!fits) throw damaged(`the state below block ${at} is another one`)
  }

  return {
    get height() {
      return height
    },
    genesisState(bytes) {
      const state = checkState(
        reading('the first state', () => decodeState(bytes)),
        initialHeight - 1,
      )
      below = state
      return state
    },
    block(frame) {
      const at = height + 1
      const read = reading(`block ${at}`, () => {
        const header = decodeP2PSignedHeader(frame.header)
        const data = decodeP2PData(frame.data)
        validatePair(header, data)
        return { header, data, state: frame.state.length === 0 ? undefined : decodeState(frame.state) }
      })
      const { header, data, state } = read
      if (header.header.height !== at || at > last) throw damaged(`block ${at} is missing`)
      assertLinked(header, data)
      if ((state === undefined) !== at < firstState) throw damaged(`the state of height ${at} is missing`)
      if (state !== undefined) {
        checkState(state, at)
        const { time } = header.header
        if (!equalBytes(state.lastHeaderHash, headerHash(header.header)) || state.lastBlockTime !== time)
          throw damaged(`the state of height ${at} is another one`)
      }
      before = { header, data }
      first ??= before
      below = state
      height = at
      return [...blockOps({ header, data }), ...(state === undefined ? [] : [stateOp(state)])]
    },
    end() {
      if (height !== last || before === undefined || first === undefined)
        throw damaged(`it has blocks up to ${height}, not up to ${last}`)
      if (!equalBytes(headerHash(before.header.header), manifest.headerHash))
        throw damaged('its last header is another one')
      const ends = <H>(tail: H, head: H, hash: (item: H) => Uint8Array): StoreEnds => ({
        tail: { height: firstHeight, hash: hash(tail) },
        head: { height: last, hash: hash(head) },
      })
      return [
        heightOp(last),
        ...prunedOps({
          blocks: firstHeight > initialHeight ? firstHeight - 1 : 0,
          states: firstState > initialHeight ? firstState - 1 : 0,
        }),
        ...finalOps(manifest),
        ...pointerOps(
          { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta },
          ends(first.header, before.header, (item) => headerHash(item.header)),
        ),
        ...pointerOps(
          { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta },
          ends(first.data, before.data, dataHash),
        ),
      ]
    },
  }
}

/** Who proposes after a state: one that names nobody is taken to mean the proposer of genesis. */
export function proposerAfter({ nextProposerAddress }: State, genesis: Genesis): Uint8Array {
  return nextProposerAddress.length > 0 ? nextProposerAddress : genesis.proposerAddress
}

/** What `read` gives; what it throws is `SNAPSHOT_DAMAGED`. */
export function reading<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw damaged(`${what} cannot be read (${describeError(error)})`, error)
  }
}

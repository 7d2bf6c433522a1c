/*
 * Which blocks are final: where each half was found on DA, and how far that goes without gap. RPC clients of the Go
 * node read these under the same names, as uint64 little endian.
 */
import type { BlockInclusion } from '../core/block-store.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import { encodeP2PData, encodeP2PSignedHeader } from '../types/codec.ts'
import { uint64BigEndian } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import {
  dataDaHeightName,
  headerDaHeightName,
  heightKey,
  KEYS,
  METADATA,
  nameKey,
  parseHeight,
} from './keys.ts'
import { corrupt, DATA_RECORD, decodeRecord, HEADER_RECORD, type RecordKind } from './records.ts'

/** Inclusions of a database. */
export interface Inclusions {
  /** Highest final height; 0 when there is none. */
  height(): Promise<number>
  of(height: number): Promise<BlockInclusion | undefined>
  /** As `BlockStore.saveInclusion`, for saved blocks up to `height`. */
  save(
    blocks: readonly BlockInclusion[],
    chain: {
      readonly initialHeight: number
      readonly height: number
      readonly alongside: readonly KvOp[]
    },
  ): Promise<void>
}

async function readNumber(kv: Kv, name: string): Promise<number | undefined> {
  return parseNumber(await kv.get(nameKey(KEYS.metadata, name)))
}

function parseNumber(bytes: Uint8Array | undefined): number | undefined {
  return bytes === undefined ? undefined : parseHeight(bytes.toReversed())
}

/** Changes after which no height from `low` to `high` is final. */
export async function inclusionRemovals(kv: Kv, low: number, high: number): Promise<KvOp[]> {
  const final = (await readNumber(kv, METADATA.daIncludedHeight)) ?? 0
  if (final < low) return []
  const ops: KvOp[] = [numberOp(METADATA.daIncludedHeight, low - 1)]
  for (let height = low; height <= Math.min(high, final); height++) {
    for (const name of [headerDaHeightName(height), dataDaHeightName(height)]) {
      ops.push({ type: 'del', key: nameKey(KEYS.metadata, name) })
    }
  }
  return ops
}

/** Changes that note where the halves of a final block are. */
export function placeOps({ height, headerDaHeight, dataDaHeight }: BlockInclusion): KvOp[] {
  return [
    numberOp(headerDaHeightName(height), headerDaHeight),
    numberOp(dataDaHeightName(height), dataDaHeight),
  ]
}

/** Changes that say up to where blocks are final, and where the chain begins on DA; none for what is 0. */
export function finalOps({
  finalHeight,
  genesisDaHeight,
}: {
  readonly finalHeight: number
  readonly genesisDaHeight: number
}): KvOp[] {
  return [
    ...(finalHeight === 0 ? [] : [numberOp(METADATA.daIncludedHeight, finalHeight)]),
    ...(genesisDaHeight === 0 ? [] : [numberOp(METADATA.genesisDaHeight, genesisDaHeight)]),
  ]
}

/** Makes {@link Inclusions}. */
export function createInclusions(kv: Kv): Inclusions {
  const read = async (name: string): Promise<number | undefined> => await readNumber(kv, name)

  /** Headers and data once more where they lack the DA heights, as hints for those who get them from us. */
  async function hintOps(blocks: readonly BlockInclusion[]): Promise<KvOp[]> {
    const keysOf = ({ prefix }: RecordKind<unknown>): Uint8Array[] =>
      blocks.map((block) => heightKey(prefix, block.height))
    const [headers, data] = await Promise.all([
      kv.getMany(keysOf(HEADER_RECORD)),
      kv.getMany(keysOf(DATA_RECORD)),
    ])
    return blocks.flatMap((block, index) => [
      ...hinted(HEADER_RECORD, encodeP2PSignedHeader, block.height, headers[index], block.headerDaHeight),
      ...hinted(DATA_RECORD, encodeP2PData, block.height, data[index], block.dataDaHeight),
      ...placeOps(block),
    ])
  }

  async function height(): Promise<number> {
    return (await read(METADATA.daIncludedHeight)) ?? 0
  }

  return {
    height,
    async of(at) {
      // In one read: whoever asks for blocks asks for this too.
      const names = [headerDaHeightName(at), dataDaHeightName(at), METADATA.daIncludedHeight]
      const found = await kv.getMany(names.map((name) => nameKey(KEYS.metadata, name)))
      const [headerDaHeight, dataDaHeight, final = 0] = found.map(parseNumber)
      return headerDaHeight === undefined || dataDaHeight === undefined || at > final
        ? undefined
        : { height: at, headerDaHeight, dataDaHeight }
    },
    async save(blocks, chain) {
      let next = Math.max(await height(), chain.initialHeight - 1) + 1
      const ops: KvOp[] = []
      for (const block of blocks) {
        if (block.height !== next || block.height > chain.height) {
          throw new EvolveError(
            'UNEXPECTED_HEIGHT',
            `the next block to become final is ${next}, of ${chain.height} saved ones, got ${block.height}`,
            { verdict: 'halt', data: { expected: next, saved: chain.height, found: block.height } },
          )
        }
        next++
      }
      const [first] = blocks
      if (first === undefined) return
      ops.push(...(await hintOps(blocks)))
      if ((await read(METADATA.genesisDaHeight)) === undefined) {
        ops.push(numberOp(METADATA.genesisDaHeight, Math.min(first.headerDaHeight, first.dataDaHeight)))
      }
      await kv.batch([...ops, numberOp(METADATA.daIncludedHeight, next - 1), ...chain.alongside], {
        sync: true,
      })
    },
  }
}

/** The change that gives a record a hint; none where it has it. */
function hinted<T extends { readonly daHeightHint?: number }>(
  kind: RecordKind<T>,
  encode: (record: T) => Uint8Array,
  at: number,
  bytes: Uint8Array | undefined,
  daHeightHint: number,
): KvOp[] {
  if (bytes === undefined) throw corrupt(kind, at, 'is missing')
  const record = decodeRecord(kind, at, bytes)
  if (record.daHeightHint === daHeightHint) return []
  return [{ type: 'put', key: heightKey(kind.prefix, at), value: encode({ ...record, daHeightHint }) }]
}

function numberOp(name: string, value: number): KvOp {
  return { type: 'put', key: nameKey(KEYS.metadata, name), value: uint64BigEndian(value).toReversed() }
}

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
import { corrupt, DATA_RECORD, HEADER_RECORD, readRecord } from './records.ts'

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
  const bytes = await kv.get(nameKey(KEYS.metadata, name))
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

/** Makes {@link Inclusions}. */
export function createInclusions(kv: Kv): Inclusions {
  const read = async (name: string): Promise<number | undefined> => await readNumber(kv, name)

  /** Header and data once more, now with the DA heights as hints for those who get them from us. */
  async function hintOps(block: BlockInclusion): Promise<KvOp[]> {
    const { height: at, headerDaHeight, dataDaHeight } = block
    const [header, data] = await Promise.all([
      readRecord(kv, HEADER_RECORD, at),
      readRecord(kv, DATA_RECORD, at),
    ])
    if (header === undefined) throw corrupt(HEADER_RECORD, at, 'is missing')
    if (data === undefined) throw corrupt(DATA_RECORD, at, 'is missing')
    return [
      {
        type: 'put',
        key: heightKey(KEYS.headers, at),
        value: encodeP2PSignedHeader({ ...header, daHeightHint: headerDaHeight }),
      },
      {
        type: 'put',
        key: heightKey(KEYS.data, at),
        value: encodeP2PData({ ...data, daHeightHint: dataDaHeight }),
      },
      numberOp(headerDaHeightName(at), headerDaHeight),
      numberOp(dataDaHeightName(at), dataDaHeight),
    ]
  }

  async function height(): Promise<number> {
    return (await read(METADATA.daIncludedHeight)) ?? 0
  }

  return {
    height,
    async of(at) {
      const [headerDaHeight, dataDaHeight] = await Promise.all([
        read(headerDaHeightName(at)),
        read(dataDaHeightName(at)),
      ])
      return headerDaHeight === undefined || dataDaHeight === undefined || at > (await height())
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
        ops.push(...(await hintOps(block)))
        next++
      }
      const [first] = blocks
      if (first === undefined) return
      if ((await read(METADATA.genesisDaHeight)) === undefined) {
        ops.push(numberOp(METADATA.genesisDaHeight, Math.min(first.headerDaHeight, first.dataDaHeight)))
      }
      await kv.batch([...ops, numberOp(METADATA.daIncludedHeight, next - 1), ...chain.alongside], {
        sync: true,
      })
    },
  }
}

function numberOp(name: string, value: number): KvOp {
  return { type: 'put', key: nameKey(KEYS.metadata, name), value: uint64BigEndian(value).toReversed() }
}

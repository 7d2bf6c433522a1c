import { ed25519PublicKey, sha256, sha256Parts } from '../../src/util/crypto.node.ts'
import type { HeightEvent } from '../../src/core/block-source.ts'
import type { Block } from '../../src/core/block-store.ts'
import { type Data, dataCommitment, dataHash } from '../../src/types/data.ts'
import type { Genesis } from '../../src/types/genesis.ts'
import {
  type Header,
  headerHash,
  proposerAddressOf,
  type SignedHeader,
  signHeader,
} from '../../src/types/header.ts'
import { EMPTY_BYTES, uint64BigEndian, utf8 } from '../../src/util/bytes.ts'

/** Seeds of proposers; what a `stranger` signs is nobody's block. */
export const SEEDS = {
  first: sha256(utf8('first proposer')),
  second: sha256(utf8('second proposer')),
  stranger: sha256(utf8('stranger')),
} as const

/** Address of the proposer with a seed. */
export function addressOf(seed: Uint8Array): Uint8Array {
  return proposerAddressOf(ed25519PublicKey(seed))
}

/** Root of the state before the first block. */
export const GENESIS_ROOT: Uint8Array = sha256(utf8('genesis'))

/** State root after a block: what every honest executor of tests computes. */
export function rootAfter(previous: Uint8Array, height: number, txs: readonly Uint8Array[]): Uint8Array {
  return sha256Parts(previous, uint64BigEndian(height), ...txs.map((tx) => sha256(tx)))
}

/** A chain whose app hashes are what {@link rootAfter} gives. */
export interface ExecutedChain {
  readonly genesis: Genesis
  readonly blocks: readonly Block[]
  /** The block of a height. */
  at(height: number): Block
  /** State root after a height. */
  root(height: number): Uint8Array
  /** Address of the proposer after a height, as the executor names it there. */
  readonly proposerAfter: (height: number) => Uint8Array | undefined
}

/** Shape of an {@link ExecutedChain}. */
export interface ExecutedChainOptions {
  readonly count: number
  readonly initialHeight?: number
  /** Unix nanoseconds of genesis and of the first block. */
  readonly startTime?: bigint
  /** Height from which the second proposer signs. */
  readonly rotateAt?: number
  readonly txsAt?: (height: number) => Uint8Array[]
}

const START = 1_690_000_000_000_000_000n

/** Makes an {@link ExecutedChain}; equal options give equal bytes. */
export function makeExecutedChain(options: ExecutedChainOptions): ExecutedChain {
  const { count, initialHeight = 1, startTime = START, rotateAt } = options
  const chainId = 'executed-chain'
  const txsAt =
    options.txsAt ?? ((height) => Array.from({ length: height % 3 }, (_, i) => utf8(`tx ${height}/${i}`)))
  const blocks: Block[] = []
  const roots: Uint8Array[] = [GENESIS_ROOT]
  for (let height = initialHeight; height < initialHeight + count; height++) {
    const below = blocks.at(-1)
    const time = startTime + BigInt(height - initialHeight) * 1_000_000_000n
    const lastDataHash = below === undefined ? EMPTY_BYTES : dataHash(below.data)
    const data: Data = { metadata: { chainId, height, time, lastDataHash }, txs: txsAt(height) }
    const seed = rotateAt !== undefined && height >= rotateAt ? SEEDS.second : SEEDS.first
    const appHash = roots.at(-1) ?? GENESIS_ROOT
    const header: Header = {
      version: { block: 0n, app: 0n },
      height,
      time,
      lastHeaderHash: below === undefined ? EMPTY_BYTES : headerHash(below.header.header),
      dataHash: dataCommitment(data),
      appHash,
      proposerAddress: addressOf(seed),
      validatorHash: EMPTY_BYTES,
      chainId,
    }
    blocks.push({ header: signHeader(header, seed), data })
    roots.push(rootAfter(appHash, height, data.txs))
  }
  return {
    genesis: {
      chainId,
      startTime,
      initialHeight,
      proposerAddress: addressOf(SEEDS.first),
      daStartHeight: 0,
      daEpochForcedInclusion: 50,
    },
    blocks,
    at(height) {
      const block = blocks[height - initialHeight]
      if (block === undefined) throw new RangeError(`the test chain has no height ${height}`)
      return block
    },
    root(height) {
      const root = roots[height - initialHeight + 1]
      if (root === undefined) throw new RangeError(`the test chain has no state after height ${height}`)
      return root
    },
    proposerAfter: (height) =>
      rotateAt !== undefined && height + 1 === rotateAt ? addressOf(SEEDS.second) : undefined,
  }
}

/** A header with some fields changed, signed again: by the first proposer when nobody is named. */
export function forge(
  { header }: SignedHeader,
  changes: Partial<Header>,
  seed: Uint8Array = SEEDS.first,
): SignedHeader {
  return signHeader({ ...header, proposerAddress: addressOf(seed), ...changes }, seed)
}

/** A header whose signature is wrong in one bit; its hash stays. */
export function spoilSignature(signed: SignedHeader): SignedHeader {
  const signature = Uint8Array.from(signed.signature)
  signature[40] = (signature[40] ?? 0) ^ 1
  // A copy of the header, so that nothing is remembered for it.
  return { ...signed, header: { ...signed.header }, signature }
}

/** An event that brings a block; the rest as if it came from DA, not stored anywhere. */
export function eventOf(block: Block, more: Partial<HeightEvent> = {}): HeightEvent {
  return {
    header: block.header,
    data: block.data,
    height: block.header.header.height,
    source: 'test',
    daHeight: undefined,
    stored: false,
    ...more,
  }
}

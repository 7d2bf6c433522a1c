import { ed25519PublicKey, sha256 } from '../../src/util/crypto.node.ts'
import { EMPTY_BYTES, utf8 } from '../../src/util/bytes.ts'
import { type Data, dataCommitment, dataHash } from '../../src/types/data.ts'
import type { Genesis } from '../../src/types/genesis.ts'
import { headerHash, proposerAddressOf, type SignedHeader, signHeader } from '../../src/types/header.ts'

/** What {@link makeChain} makes. */
export interface TestChain {
  readonly genesis: Genesis
  /** The proposer's 32-byte ed25519 seed. */
  readonly seed: Uint8Array
  /** In order, from the initial height. */
  readonly blocks: readonly { readonly header: SignedHeader; readonly data: Data }[]
}

/** Shape of a test chain; everything but `count` has a fixed default, so that equal options give equal bytes. */
export interface TestChainOptions {
  readonly count: number
  readonly chainId?: string
  readonly seed?: Uint8Array
  /** Unix nanoseconds of the first block; the others follow one second apart. */
  readonly startTime?: bigint
  readonly initialHeight?: number
  /** Transactions of a height; as a rule none for heights divisible by 3, else one or two. */
  readonly txsAt?: (height: number) => Uint8Array[]
  /** State root before a height is executed; as a rule empty at the first, then a hash of the height. */
  readonly appHashAt?: (height: number) => Uint8Array
}

/** An hour before the time at which virtual clocks start. */
const START = 1_700_000_000_000_000_000n - 3_600_000_000_000n
const SECOND = 1_000_000_000n

/** Makes a chain of properly linked and signed blocks of one proposer. */
export function makeChain(options: TestChainOptions): TestChain {
  const {
    count,
    chainId = 'test-chain',
    seed = sha256(utf8('the proposer of test chains')),
    startTime = START,
    initialHeight = 1,
  } = options
  const txsAt =
    options.txsAt ??
    ((height) => Array.from({ length: height % 3 }, (_, i) => utf8(`key${height}-${i}=value${height}`)))
  const appHashAt =
    options.appHashAt ??
    ((height) => (height === initialHeight ? EMPTY_BYTES : sha256(utf8(`state before ${height}`))))
  const proposerAddress = proposerAddressOf(ed25519PublicKey(seed))
  const blocks: { header: SignedHeader; data: Data }[] = []
  for (let height = initialHeight; height < initialHeight + count; height++) {
    const below = blocks.at(-1)
    const time = startTime + BigInt(height - initialHeight) * SECOND
    const data: Data = {
      metadata: {
        chainId,
        height,
        time,
        lastDataHash: below === undefined ? EMPTY_BYTES : dataHash(below.data),
      },
      txs: txsAt(height),
    }
    const header = signHeader(
      {
        version: { block: 0n, app: 0n },
        height,
        time,
        lastHeaderHash: below === undefined ? EMPTY_BYTES : headerHash(below.header.header),
        dataHash: dataCommitment(data),
        appHash: appHashAt(height),
        proposerAddress,
        validatorHash: EMPTY_BYTES,
        chainId,
      },
      seed,
    )
    blocks.push({ header, data })
  }
  const genesis: Genesis = {
    chainId,
    startTime,
    initialHeight,
    proposerAddress,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  }
  return { genesis, seed, blocks }
}

import type { Blob, DaClient, DaErrorCode, DaSubmitOptions } from '../../src/core/da.ts'
import type { Kv } from '../../src/core/kv.ts'
import type { Signer } from '../../src/core/signer.ts'
import { createInclusionTracker, type InclusionTracker } from '../../src/da/inclusion.ts'
import { type HalfKind, inclusionOp } from '../../src/da/records.ts'
import { createSubmitter, type Submitter, type SubmitterOptions } from '../../src/da/submit/submitter.ts'
import { createBlockStore, type KvBlockStore } from '../../src/store/block-store.ts'
import { KEYS } from '../../src/store/keys.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { subKv } from '../../src/store/sub-kv.ts'
import { decodeDAHeaderEnvelope, decodeSignedData } from '../../src/types/codec.ts'
import { dataCommitment } from '../../src/types/data.ts'
import { headerHash, proposerAddressOf } from '../../src/types/header.ts'
import { namespaceBytes } from '../../src/types/namespace.ts'
import { equalBytes, utf8 } from '../../src/util/bytes.ts'
import { ed25519PublicKey, sha256, signEd25519 } from '../../src/util/crypto.node.ts'
import { type EvolveError, EvolveError as Failure } from '../../src/util/errors.ts'
import { makeSaves } from '../suites/block-saves.ts'
import { createFaultyKv, type FaultyKv } from './faulty-kv.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { createVirtualEnv, type VirtualEnv } from './virtual-env.ts'

/** Milliseconds of a DA block in tests. */
export const BLOCK_TIME = 6_000

/** Seed of the proposer of test chains. */
export const PROPOSER_SEED: Uint8Array = sha256(utf8('the proposer of test chains'))

/** Namespaces of a {@link SubmitterRig}. */
export const NAMESPACES = { header: namespaceBytes('headers'), data: namespaceBytes('data') } as const

/** One call to post. */
export interface Post {
  readonly kind: HalfKind
  /** Block heights of the blobs. */
  readonly heights: readonly number[]
  readonly bytes: number
  readonly submit: DaSubmitOptions | undefined
  /** Virtual milliseconds. */
  readonly at: number
}

/** A DA layer in memory. */
export interface FakeDa {
  readonly client: DaClient
  /** Calls in order, also failed ones. */
  readonly posts: readonly Post[]
  /** Blobs of each DA height. */
  readonly blocks: Map<number, readonly Blob[]>
  /** Height of the last DA block. */
  height: number
  /** Asked before each call takes effect: may wait, throw, or give another DA height than the true one. */
  before: ((post: Post, signal: AbortSignal) => Promise<number | undefined>) | undefined
  /** Most calls of one kind that were under way at the same time. */
  readonly together: Readonly<Record<HalfKind, number>>
}

/** A failure of DA. */
export function daFailure(code: DaErrorCode): EvolveError {
  return new Failure(code, `DA says ${code}`, { verdict: 'retry' })
}

/** Height of the block that a blob is half of. */
export function heightOfBlob(blob: Blob): number {
  return kindOfBlob(blob) === 'header'
    ? decodeDAHeaderEnvelope(blob.data).header.header.height
    : (decodeSignedData(blob.data).data.metadata?.height ?? 0)
}

function kindOfBlob(blob: Blob): HalfKind {
  return equalBytes(blob.namespace, NAMESPACES.header) ? 'header' : 'data'
}

/** Makes a {@link FakeDa}. */
export function createFakeDa(now: () => number = () => 0): FakeDa {
  const posts: Post[] = []
  const underWay = { header: 0, data: 0 }
  const together = { header: 0, data: 0 }
  const never = async (): Promise<never> => await Promise.reject(daFailure('DA_UNREACHABLE'))
  const da: FakeDa = {
    posts,
    blocks: new Map(),
    height: 0,
    before: undefined,
    together,
    client: {
      reachable: true,
      async start() {},
      async stop() {},
      async submit(blobs, { signal, submit }) {
        const [first] = blobs
        if (first === undefined) throw new Error('nothing to post')
        const kind = kindOfBlob(first)
        const bytes = blobs.reduce((sum, { data }) => sum + data.length, 0)
        const post: Post = { kind, heights: blobs.map(heightOfBlob), bytes, submit, at: now() }
        posts.push(post)
        underWay[kind]++
        together[kind] = Math.max(together[kind], underWay[kind])
        try {
          const claimed = await da.before?.(post, signal)
          if (claimed !== undefined) return claimed
          da.height++
          da.blocks.set(da.height, blobs)
          return da.height
        } finally {
          underWay[kind]--
        }
      },
      getAll: never,
      header: never,
      head: never,
      subscribe: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }),
    },
  }
  return da
}

/** A submitter and an inclusion tracker over a real block store, with DA, disk and clock in the hand of the test. */
export interface SubmitterRig {
  readonly submitter: Submitter
  readonly inclusion: InclusionTracker
  readonly blockStore: KvBlockStore
  readonly kv: FaultyKv
  readonly da: FakeDa
  readonly time: VirtualEnv
  readonly recorder: Recorder
  /** Heights the executor was told are final, in order. */
  readonly finals: readonly number[]
  /** Signatures made. */
  readonly signatures: number
  /** The critical error, once there is one. */
  readonly failure: EvolveError | undefined
  /** Saves the next blocks of the chain up to a height, pokes, and lets what follows happen. */
  grow(to: number): Promise<void>
  /** Reads DA up to a height, as the source of blocks from DA does, and lets what follows happen. */
  read(daHeight: number): Promise<void>
  /** Last submitted heights on disk: headers, data. */
  saved(): Promise<{ readonly header: number; readonly data: number }>
  /** Block heights of a kind that DA has. */
  onDa(kind: HalfKind): number[]
  stop(): Promise<void>
}

/** What a {@link SubmitterRig} begins with. */
export interface SubmitterRigOptions extends Partial<SubmitterOptions> {
  /** Blocks of the chain, saved or not. */
  readonly count: number
  readonly initialHeight?: number
  readonly txsAt?: (height: number) => Uint8Array[]
  /** Blocks saved before the start. */
  readonly saved?: number
  /** Disk and DA of an earlier life. */
  readonly disk?: Kv
  readonly da?: FakeDa
  /** Seed of the key that signs [the proposer's]. */
  readonly seed?: Uint8Array
  readonly setFinal?: (height: number) => Promise<void>
  /** Called before anything is started. */
  readonly prepare?: (rig: SubmitterRig) => void
}

const chains = new Map<string, ReturnType<typeof makeSaves>>()

/** Chains cost time to sign; those without transactions of their own are made once. */
function chainOf({ count, initialHeight = 1, txsAt }: SubmitterRigOptions): ReturnType<typeof makeSaves> {
  if (txsAt !== undefined) return makeSaves({ count, initialHeight, txsAt })
  const name = `${count}/${initialHeight}`
  const known = chains.get(name) ?? makeSaves({ count, initialHeight })
  chains.set(name, known)
  return known
}

/** Starts a {@link SubmitterRig}. */
export async function startSubmitterRig(options: SubmitterRigOptions): Promise<SubmitterRig> {
  const { initial, saves } = chainOf(options)
  const { initialHeight = 1, seed = PROPOSER_SEED } = options
  const time = createVirtualEnv()
  const { env } = time
  const recorder = createRecorder()
  const { logger, metrics } = recorder
  const kv = createFaultyKv(options.disk ?? createMemoryKv())
  const blockStore = createBlockStore({ kv })
  const da = options.da ?? createFakeDa(() => env.monotonic())
  const daKv = subKv(kv, Uint8Array.of(KEYS.da))
  const finals: number[] = []
  let signatures = 0
  const publicKey = ed25519PublicKey(seed)
  const signer: Signer = {
    publicKey,
    address: proposerAddressOf(publicKey),
    async sign(message) {
      signatures++
      return signEd25519(seed, message)
    },
  }
  const inclusion = createInclusionTracker({
    kv: daKv,
    blockStore,
    async setFinal(height) {
      await options.setFinal?.(height)
      finals.push(height)
    },
    env,
    logger,
    metrics,
  })
  const submitter = createSubmitter(
    {
      client: da.client,
      blockStore,
      signer,
      kv: subKv(kv, Uint8Array.of(KEYS.submitted)),
      inclusion,
      env,
      logger,
      metrics,
    },
    {
      headerNamespace: NAMESPACES.header,
      dataNamespace: NAMESPACES.data,
      blockTime: BLOCK_TIME,
      strategy: 'immediate',
      ...options,
    },
  )
  let failure: EvolveError | undefined
  for (const { failed } of [submitter, inclusion]) void failed.then((error) => (failure = error))

  async function save(to: number): Promise<void> {
    const next = Math.max(await blockStore.height(), initialHeight - 1) + 1
    await blockStore.saveBlocks(saves.slice(next - initialHeight, to - initialHeight + 1))
  }

  const rig: SubmitterRig = {
    submitter,
    inclusion,
    blockStore,
    kv,
    da,
    time,
    recorder,
    finals,
    get signatures() {
      return signatures
    },
    get failure() {
      return failure
    },
    async grow(to) {
      await save(to)
      submitter.poke()
      inclusion.poke()
      await time.settle()
    },
    async read(daHeight) {
      for (const [at, blobs] of da.blocks) {
        if (at > daHeight) continue
        await daKv.batch(
          blobs.map((blob) => {
            const kind = kindOfBlob(blob)
            const hash =
              kind === 'header'
                ? headerHash(decodeDAHeaderEnvelope(blob.data).header.header)
                : dataCommitment(decodeSignedData(blob.data).data)
            return inclusionOp({ height: heightOfBlob(blob), kind, hash }, at)
          }),
        )
      }
      inclusion.poke()
      submitter.consumed(daHeight)
      await time.settle()
    },
    async saved() {
      const read = async (name: string): Promise<number> => {
        const bytes = await blockStore.metadata(name)
        return bytes === undefined ? 0 : Number(new DataView(bytes.slice().buffer).getBigUint64(0, true))
      }
      return {
        header: await read('last-submitted-header-height'),
        data: await read('last-submitted-data-height'),
      }
    },
    onDa: (kind) =>
      [...da.blocks.values()].flatMap((blobs) =>
        blobs.filter((blob) => kindOfBlob(blob) === kind).map(heightOfBlob),
      ),
    async stop() {
      const stopped = Promise.all([submitter.stop(), inclusion.stop()])
      await time.advance(BLOCK_TIME)
      await stopped
      await blockStore.stop()
      await kv.stop()
    },
  }
  await kv.start()
  await blockStore.start()
  if ((await blockStore.state()) === undefined) await blockStore.saveState(initial)
  if (options.saved !== undefined) await save(options.saved)
  options.prepare?.(rig)
  await inclusion.start()
  await submitter.start()
  await time.settle()
  return rig
}

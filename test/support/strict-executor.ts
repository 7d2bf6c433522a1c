import type { ExecuteRequest, Executor } from '../../src/core/executor.ts'
import { EMPTY_BYTES, equalBytes, toHex } from '../../src/util/bytes.ts'
import { GENESIS_ROOT, rootAfter } from './executed-chain.ts'

/** An executor that keeps a log, notices when it is misused, and fails when a test says so. */
export interface StrictExecutor extends Executor {
  /** Called before each call with its name; what it throws or waits for, the node sees. */
  before: ((call: string, height: number) => Promise<void>) | undefined
  /** Called between the execution of a block and the answer. */
  after: ((height: number) => Promise<void>) | undefined
  /** Changes the root that comes out of a height. */
  distort: ((height: number, root: Uint8Array) => Uint8Array) | undefined
  /** Heights in the order they were executed. */
  readonly executed: readonly number[]
  /** Executions on a state that was not the one before. Must stay empty. */
  readonly misuses: readonly string[]
  /** Last executed height; one below the initial height before the first. */
  readonly height: number
  readonly root: Uint8Array
  /** Loses everything, as an executor whose disk was replaced. */
  wipe(): void
}

/** What a {@link StrictExecutor} can do. */
export interface StrictExecutorOptions {
  readonly initialHeight?: number
  /** Whether it tells its height [true], and can go back [true]. */
  readonly tellsHeight?: boolean
  readonly rollsBack?: boolean
  /** Address of the signer after a height, where it changes. */
  readonly proposerAfter?: (height: number) => Uint8Array | undefined
}

/** Makes a {@link StrictExecutor}. It executes the next height, or the last one again. */
export function createStrictExecutor(options: StrictExecutorOptions = {}): StrictExecutor {
  const { initialHeight = 1, tellsHeight = true, rollsBack = true } = options
  const roots: Uint8Array[] = []
  const executed: number[] = []
  const misuses: string[] = []
  let executing = 0
  const height = (): number => initialHeight + roots.length - 2
  const rootAt = (at: number): Uint8Array | undefined => roots[at - initialHeight + 1]

  async function execute({ txs, height: at, previousStateRoot }: ExecuteRequest): Promise<Uint8Array> {
    if (executing > 0) misuses.push(`height ${at} was executed while another was`)
    executing++
    try {
      await executor.before?.('executeTxs', at)
      const previous = rootAt(at - 1)
      if (previous === undefined || at > height() + 1 || at < height()) {
        misuses.push(`height ${at} was executed at height ${height()}`)
      } else if (!equalBytes(previous, previousStateRoot)) {
        misuses.push(`height ${at} was executed on root ${toHex(previousStateRoot)}`)
      }
      const right = rootAfter(previousStateRoot, at, txs)
      const root = executor.distort?.(at, right) ?? right
      roots.length = Math.min(roots.length, at - initialHeight + 1)
      roots.push(root)
      executed.push(at)
      await executor.after?.(at)
      return root
    } finally {
      executing--
    }
  }

  const executor: StrictExecutor = {
    before: undefined,
    after: undefined,
    distort: undefined,
    executed,
    misuses,
    get height() {
      return height()
    },
    get root() {
      return roots.at(-1) ?? EMPTY_BYTES
    },
    wipe() {
      roots.length = 0
    },
    async initChain() {
      await executor.before?.('initChain', initialHeight - 1)
      if (roots.length === 0) roots.push(GENESIS_ROOT)
      return GENESIS_ROOT
    },
    getTxs: async () => [],
    executeTxs: async (request) => ({
      stateRoot: await execute(request),
      nextProposerAddress: options.proposerAfter?.(request.height) ?? EMPTY_BYTES,
    }),
    async setFinal() {},
    getExecutionInfo: async () => ({ maxGas: 0n }),
    filterTxs: async ({ txs }) => txs.map(() => 'ok'),
    ...(tellsHeight
      ? {
          async latestHeight() {
            await executor.before?.('latestHeight', 0)
            return roots.length < 2 ? 0 : height()
          },
        }
      : {}),
    ...(rollsBack
      ? {
          async rollback(to: number) {
            await executor.before?.('rollback', to)
            roots.length = Math.max(0, to - initialHeight + 2)
          },
        }
      : {}),
  }
  return executor
}

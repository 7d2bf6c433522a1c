/*
 * A key signs each height once: with homes put back from old copies, and with two aggregators that have one key.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { evidenceKey } from '../../src/block/follower/equivocation.ts'
import { systemEnv } from '../../src/core/env.ts'
import type { Kv } from '../../src/core/kv.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { LedgerEntry, Signer, SignLedger } from '../../src/core/signer.ts'
import { createDaClient } from '../../src/da/client/client.node.ts'
import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import type { AggregatorOptions } from '../../src/node/aggregator.ts'
import { freePort } from '../../src/node/devnet/homes.ts'
import { createFullNode, type FullNode } from '../../src/node/full-node.ts'
import { createLocalDaNode } from '../../src/node/local-da.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { signerOfKey, signingKeyOf } from '../../src/signer/file.node.ts'
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { decodeHeader, decodeSignedHeader } from '../../src/types/codec.ts'
import type { Genesis } from '../../src/types/genesis.ts'
import { headerHash } from '../../src/types/header.ts'
import { equalBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { EvolveError, isEvolveError } from '../../src/util/errors.ts'
import { until } from '../support/hosts.ts'
import { createCliScratch, initChain } from '../support/cli-network.ts'
import { reached } from '../support/node-heights.ts'

const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))
const BLOCK_TIME = 50
const DA_BLOCK_TIME = 100
/** Blocks for transactions alone, so that a test knows what was made and who has it. */
const LAZY = { lazyMode: true, lazyBlockInterval: 3_600_000 } as const
/** Nobody else is waited for long. */
const IMPATIENT = { daPatience: 200, peerPatience: 200, ledgerPatience: 200 } as const

/** A chain whose nodes run in this process. */
interface Chain {
  readonly genesis: Genesis
  readonly folder: string
  /** Hex of the headers that were signed, by height. */
  readonly signed: ReadonlyMap<number, ReadonlySet<string>>
  node(how: NodePlan): Promise<Running>
  stop(): Promise<void>
}

interface NodePlan {
  /** Name of its home; in memory without. */
  readonly home?: string
  /** Makes it the aggregator. */
  readonly aggregator?: AggregatorOptions
  /** In the place of the one in the home. */
  readonly ledger?: SignLedger
  readonly da?: string
  readonly peers?: readonly string[]
}

interface Running {
  readonly node: FullNode
  readonly executor: EntryExecutor
  /** Resolves when a height is executed, or final; throws what ended the node before. */
  executed(height: number): Promise<void>
  final(height: number): Promise<void>
  /** Sends so many transactions, each in a block of its own. */
  grow(blocks: number): Promise<void>
}

function createChain(): Chain {
  const folder = mkdtempSync(join(tmpdir(), 'evolve-double-'))
  const key = signingKeyOf(random(32))
  const genesis: Genesis = {
    chainId: `double-${toHex(random(4))}`,
    startTime: systemEnv.now(),
    initialHeight: 1,
    proposerAddress: key.address,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  }
  const signed = new Map<number, Set<string>>()
  const nodes: FullNode[] = []

  /** Notes every signature before anybody can see it. What is signed for DA is no header. */
  function noting(signer: Signer): Signer {
    return {
      ...signer,
      async sign(message) {
        try {
          const header = decodeHeader(message)
          if (header.chainId === genesis.chainId) {
            const hashes = signed.get(header.height) ?? new Set()
            signed.set(header.height, hashes.add(toHex(headerHash(header))))
          }
        } catch (error) {
          if (!isEvolveError(error, 'DECODE_FAILED')) throw error
        }
        return await signer.sign(message)
      },
    }
  }

  function ledgerIn(home: string): SignLedger {
    return createFileLedger({ path: join(folder, home, 'ledger'), keyFingerprint: key.address })
  }

  return {
    genesis,
    folder,
    signed,
    async node({ home, aggregator, ledger, da, peers = [] }) {
      const kv: Kv =
        home === undefined ? createMemoryKv() : createLevelKv({ path: join(folder, home, 'data') })
      if (home !== undefined) mkdirSync(join(folder, home), { recursive: true })
      const executors: EntryExecutor[] = []
      const node = createFullNode(
        {
          ...shared,
          genesis,
          kv,
          nodeKey: generateNodeKey(random),
          executor: (part) => {
            const executor = createKvExecutor({ kv: part })
            executors.push(executor)
            return executor
          },
          ...(da === undefined ? {} : { da: createDaClient(shared, { address: da }) }),
          ...(aggregator === undefined
            ? {}
            : { key: { signer: noting(signerOfKey(key)), ledger: ledger ?? ledgerIn(home ?? '') } }),
        },
        {
          listen: ['/ip4/127.0.0.1/tcp/0'],
          peers,
          discovery: false,
          redial: { first: 100, last: 1_000 },
          blockTime: BLOCK_TIME,
          da: { namespace: 'double', blockTime: DA_BLOCK_TIME },
          ...(aggregator === undefined ? {} : { aggregator }),
        },
      )
      const [executor] = executors
      if (executor === undefined) throw new Error('a node makes its executor at once')
      nodes.push(node)
      await node.start()
      const executed = async (height: number): Promise<void> =>
        await reached(node, height, {
          now: () => node.status().height,
          on: (tell) => node.onBlock((one) => tell(one.height)),
        })
      let sent = 0
      return {
        node,
        executor,
        executed,
        final: async (height) =>
          await reached(node, height, {
            now: () => node.status().finalHeight,
            on: (tell) => node.onFinal(tell),
          }),
        async grow(blocks) {
          for (let n = 0; n < blocks; n++) {
            const next = node.status().height + 1
            await executor.submitTx(utf8(`${home} ${sent++}=${toHex(random(4))}`))
            await executed(next)
          }
        },
      }
    },
    async stop() {
      for (const node of nodes) await node.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const scratch = createCliScratch()
afterAll(async () => await scratch.clear())

let chain: Chain
beforeEach(() => {
  chain = createChain()
})
afterEach(async () => await chain.stop())

/** Heights that were signed over more than one header. */
function signedTwice(): number[] {
  return [...chain.signed].filter(([, hashes]) => hashes.size > 1).map(([height]) => height)
}

describe('a home that is put back from an old copy', () => {
  /** An aggregator makes blocks; `between` is copied after the first of them. Resolves with the last height. */
  async function grown(
    how: Omit<NodePlan, 'aggregator' | 'home'>,
    settled: (height: number) => Promise<void>,
  ) {
    const plan = { ...how, home: 'seq', aggregator: LAZY }
    const first = await chain.node(plan)
    await first.grow(4)
    await first.node.stop()
    cpSync(join(chain.folder, 'seq'), join(chain.folder, 'old'), { recursive: true })
    const second = await chain.node(plan)
    await second.grow(5)
    const { height } = second.node.status()
    await settled(height)
    await second.node.stop()
    return { height, plan }
  }

  /** Puts back parts of the old copy. */
  function putBack(...parts: readonly string[]): void {
    for (const part of parts) {
      rmSync(join(chain.folder, 'seq', part), { recursive: true, force: true })
      cpSync(join(chain.folder, 'old', part), join(chain.folder, 'seq', part), { recursive: true })
    }
  }

  describe('with DA', () => {
    let da: ReturnType<typeof createLocalDaNode>
    beforeEach(async () => {
      da = createLocalDaNode(shared, { host: '127.0.0.1', port: await freePort(), blockTime: DA_BLOCK_TIME })
      await da.start()
    })
    afterEach(async () => await da.stop())

    test.each([
      ['its database', ['data']],
      ['all of it', ['data', 'ledger']],
    ] as const)('%s: it follows to the end first, and then makes the next block', async (_what, parts) => {
      const { address } = da
      const watcher = await chain.node({ da: address })
      const { height, plan } = await grown({ da: address }, async (at) => await watcher.final(at))
      putBack(...parts)
      const restored = await chain.node(plan)
      await restored.executed(height)
      await restored.grow(2)
      await watcher.final(height + 2)
      expect(signedTwice()).toEqual([])
      expect(restored.node.status().lastHeaderHash).toEqual(watcher.node.status().lastHeaderHash)
    })
  })

  test.each([
    ['its database', ['data']],
    ['all of it', ['data', 'ledger']],
  ] as const)('%s: with a peer that has the blocks, it follows that one first', async (_what, parts) => {
    const follower = await chain.node({})
    const [address = ''] = follower.node.addresses()
    const { height, plan } = await grown({ peers: [address] }, async (at) => await follower.executed(at))
    putBack(...parts)
    const restored = await chain.node(plan)
    await restored.executed(height)
    await restored.grow(2)
    await follower.executed(height + 2)
    expect(signedTwice()).toEqual([])
    expect(restored.node.status().lastHeaderHash).toEqual(follower.node.status().lastHeaderHash)
  })

  test('its database, and nobody who has the blocks: it halts, and signs nothing', async () => {
    const { height, plan } = await grown({}, async () => {})
    const before = [...chain.signed.keys()]
    putBack('data')
    const restored = await chain.node({ ...plan, aggregator: { ...LAZY, ...IMPATIENT } })
    const failure = await restored.node.failed
    expect(failure).toMatchObject({ code: 'LEDGER_AHEAD', verdict: 'halt' })
    expect(failure.message).toContain(String(height))
    expect([...chain.signed.keys()]).toEqual(before)
    expect(signedTwice()).toEqual([])
  })

  test('without its ledger: it goes on where its database ends', async () => {
    const { height, plan } = await grown({}, async () => {})
    rmSync(join(chain.folder, 'seq/ledger'))
    const restored = await chain.node(plan)
    await restored.grow(2)
    expect(restored.node.status().height).toBe(height + 2)
    expect(signedTwice()).toEqual([])
  })
})

describe('two aggregators with one key', () => {
  /** A ledger that does not know of the other process: that of another machine. */
  function blindLedger(): SignLedger {
    let last: LedgerEntry | undefined
    return {
      get last() {
        return last
      },
      async start() {},
      async stop() {},
      async reserve(height, hash) {
        if (
          last !== undefined &&
          (height < last.height || (height === last.height && !equalBytes(hash, last.hash)))
        ) {
          throw new EvolveError('ALREADY_SIGNED', `height ${height} was signed`, { verdict: 'halt' })
        }
        last = { height, hash }
      },
    }
  }

  const PLAN = { aggregator: { ...LAZY, ...IMPATIENT } }

  /** Goes on with transactions until the node stops. */
  async function growOn(one: Running): Promise<void> {
    while (one.node.status().phase !== 'halted') await one.grow(1).catch(() => undefined)
  }

  /** Both end, in time, by themselves, and keep what the other signed. */
  async function expectBothStop(nodes: readonly Running[]): Promise<void> {
    await Promise.all(nodes.map(growOn))
    for (const { node } of nodes) {
      const failure = await node.failed
      expect(['FOREIGN_BLOCK', 'EQUIVOCATION']).toContain(failure.code)
      expect(failure.verdict).toBe('halt')
      await until(async () => await hasEvidence(node))
    }
  }

  test.each([
    ['as high as the other', 3, 3],
    ['lower than the other', 3, 9],
    ['higher than the other', 9, 3],
  ] as const)('one %s: both stop when they see a block of the other', async (_what, ours, theirs) => {
    const one = await chain.node({ ...PLAN, ledger: blindLedger() })
    const two = await chain.node({ ...PLAN, ledger: blindLedger() })
    await one.grow(ours)
    await two.grow(theirs)
    const [address = ''] = two.node.addresses()
    await one.node.dial(address)
    await expectBothStop([one, two])
  })

  test('that see each other on DA alone: both stop', async () => {
    const da = createLocalDaNode(shared, {
      host: '127.0.0.1',
      port: await freePort(),
      blockTime: DA_BLOCK_TIME,
    })
    await da.start()
    try {
      const { address } = da
      const nodes = [
        await chain.node({ ...PLAN, da: address, ledger: blindLedger() }),
        await chain.node({ ...PLAN, da: address, ledger: blindLedger() }),
      ]
      await expectBothStop(nodes)
    } finally {
      await chain.stop()
      await da.stop()
    }
  })

  /** Whether a header by the key is kept that is not in the node's chain. */
  async function hasEvidence({ blocks }: FullNode): Promise<boolean> {
    for (let height = 1; height <= 12; height++) {
      const bytes = await blocks.metadata(evidenceKey(height))
      if (bytes === undefined) continue
      const own = await blocks.header(height)
      const { header } = decodeSignedHeader(bytes)
      return own === undefined || !equalBytes(headerHash(header), headerHash(own.header))
    }
    return false
  }
})

test('the program says what to do with an old copy, and ends with 70', async () => {
  const made = await initChain(scratch, 'old-copy', [
    '--evnode.da.address',
    '',
    '--evnode.node.catchup_timeout',
    '500ms',
  ])
  const debug = [...made.start, '--evnode.log.level', 'debug']
  const first = scratch.start(debug)
  await first.said(/block made height=2 /)
  expect((await first.stop()).code).toBe(0)
  cpSync(join(made.home, 'data'), join(scratch.folder, 'old-data'), { recursive: true })
  const second = scratch.start(debug)
  await second.said(/(?:block made [\s\S]*){4}/)
  expect((await second.stop()).code).toBe(0)
  rmSync(join(made.home, 'data'), { recursive: true })
  cpSync(join(scratch.folder, 'old-data'), join(made.home, 'data'), { recursive: true })
  const { code, stderr } = await scratch.start(debug).ended
  expect(stderr).toMatch(/signed blocks that are not here/)
  expect(stderr).toMatch(
    /error: this key has signed height \d+ .* our chain ends at \d+: is this an old copy/,
  )
  expect(stderr).not.toMatch(/block made|^\s+at /m)
  expect(code).toBe(70)
})

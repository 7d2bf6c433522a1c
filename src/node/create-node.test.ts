import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Executor } from '../core/executor.ts'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { createLocalDa } from '../da/local/local-da.node.ts'
import { defineExecutor } from '../execution/define-executor.ts'
import { formatGenesis } from '../types/genesis.ts'
import { fromUtf8, utf8 } from '../util/bytes.ts'
import { createNode, type CreateNodeOptions, type EvolveNode } from './create-node.ts'

const counter = defineExecutor({
  name: 'counter',
  genesis: () => ({ count: 0 }),
  decode: (bytes) => Number(fromUtf8(bytes)),
  apply: (state, by) => ({ count: state.count + by }),
})

const aggregator = { aggregator: true, blockTime: 20 } as const

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evolve-create-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function started<E extends Executor>(node: EvolveNode<E>): Promise<EvolveNode<E>> {
  onTestFinished(async () => await node.stop())
  await node.start()
  return node
}

/** Resolves at the block that ends with what is wanted; rejects when the node fails. */
async function until(node: EvolveNode<Executor>, wanted: () => Promise<boolean>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const look = (): void => void wanted().then((there) => (there ? resolve() : undefined), reject)
  const leave = node.onBlock(look)
  void node.failed.then(reject)
  look()
  await promise
  leave()
}

describe('a node in memory', () => {
  test('makes blocks with the default application, and leaves nothing', async () => {
    const node = await started(await createNode(aggregator))
    await node.submit('name=Ada')
    await until(node, async () => fromUtf8((await node.executor.get(utf8('name'))) ?? utf8('')) === 'Ada')
    expect(node.status()).toMatchObject({ role: 'aggregator', phase: 'producing' })
    expect(node).toMatchObject({ paths: undefined, rpc: undefined })
    expect(node.genesis.chainId).toBe('ev-test')
    expect(node.addresses()).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//)])
  })

  test('another follows it with the same application, takes transactions for it, and can be asked', async () => {
    const maker = await started(await createNode({ ...aggregator, executor: counter }))
    const follower = await started(
      await createNode({
        genesis: formatGenesis(maker.genesis),
        peers: maker.addresses(),
        executor: counter,
        blockTime: 20,
        rpc: '127.0.0.1:0',
      }),
    )
    await maker.submit('2')
    await until(follower, async () => (await follower.executor.state()).count === 2)
    await follower.submit('40')
    await until(follower, async () => (await follower.executor.state()).count === 42)
    await expect(follower.submit('two')).resolves.toBeUndefined()
    await follower.submit('-2')
    await until(follower, async () => (await follower.executor.state()).count === 40)
    expect(await (await fetch(`${follower.rpc}/health/live`)).text()).toContain('OK')
  })

  test('without listening it still follows; with DA blocks become final', async () => {
    const da = createLocalDa({ env: systemEnv, logger: noopLogger }, { blockTime: 50 })
    onTestFinished(async () => await da.stop())
    await da.start()
    const maker = await started(
      await createNode({ ...aggregator, da: { address: da.address, blockTime: 50 }, listen: false }),
    )
    expect(maker.addresses()).toEqual([])
    const { namespace } = maker.config.da
    expect(namespace).toMatch(/^ev-test-[\da-f]{10}$/)
    const follower = await started(
      await createNode({ genesis: maker.genesis, da: { address: da.address, namespace, blockTime: 50 } }),
    )
    const { promise: final, resolve } = Promise.withResolvers<void>()
    follower.onFinal((height) => height >= 3 && resolve())
    await final
    expect(follower.status().finalHeight).toBeGreaterThanOrEqual(3)
  })

  test('an executor that is there already is taken as it is', async () => {
    const blocks: number[] = []
    const texts: string[] = []
    const executor: Executor = {
      initChain: async () => utf8('root'),
      getTxs: async () => [],
      async executeTxs({ height, txs }) {
        blocks.push(height)
        texts.push(...txs.map((tx) => fromUtf8(tx) ?? ''))
        return { stateRoot: utf8('root'), nextProposerAddress: utf8('') }
      },
      async setFinal() {},
      getExecutionInfo: async () => ({ maxGas: 0n }),
      filterTxs: async ({ txs }) => txs.map(() => 'ok'),
    }
    const node = await started(await createNode({ ...aggregator, executor }))
    await until(node, async () => blocks.length >= 2)
    expect(node.executor).toBe(executor)
    // One that takes none itself gets it in a block.
    await node.submit('hello')
    await until(node, async () => texts.includes('hello'))
  })
})

describe('a node in a directory', () => {
  const quiet = { listen: '/ip4/127.0.0.1/tcp/0', discovery: false } as const

  test('makes what is missing for its owner alone, and goes on where it was', async () => {
    const directory = join(scratch(), 'node')
    const options = { ...aggregator, ...quiet, directory, executor: counter, chainId: 'counting' }
    const first = await createNode(options)
    await first.start()
    await first.submit('5')
    await until(first, async () => (await first.executor.state()).count === 5)
    await first.stop()
    const { height } = first.status()
    const files = readdirSync(join(directory, 'config')).toSorted((a, b) => (a < b ? -1 : 1))
    expect(files).toEqual([
      'evnode.yaml',
      'genesis.json',
      'node_key.json',
      'passphrase',
      'signer.json',
      'signer.ledger',
    ])
    for (const file of files) expect(statSync(join(directory, 'config', file)).mode & 0o077).toBe(0)
    const texts = files.slice(0, 5).map((file) => readFileSync(join(directory, 'config', file), 'utf8'))

    const second = await createNode(options)
    expect(second.peerId).toBe(first.peerId)
    expect(second.genesis).toEqual(first.genesis)
    const { signer: _signer, ...config } = first.config
    expect(second.config).toMatchObject(config)
    expect(files.slice(0, 5).map((file) => readFileSync(join(directory, 'config', file), 'utf8'))).toEqual(
      texts,
    )
    await started(second)
    expect(second.status().height).toBeGreaterThanOrEqual(height)
    expect(await second.executor.state()).toEqual({ count: 5 })
  })

  test('a follower keeps its genesis, and what is given changes the file', async () => {
    const directory = scratch()
    const maker = await createNode(aggregator)
    const { genesis } = maker
    await createNode({ ...quiet, directory, genesis, config: { 'log.level': 'debug' } })
    const next = await createNode({ directory, blockTime: 250, config: { 'p2p.peers': [] } })
    expect(next.genesis).toEqual(genesis)
    expect(next.config).toMatchObject({ log: { level: 'debug' }, node: { blockTime: 250 } })
    const text = readFileSync(join(directory, 'config/evnode.yaml'), 'utf8')
    expect(text).toContain('block_time: 250ms')
    expect(text).toContain('level: debug')
    expect(existsSync(join(directory, 'config/signer.json'))).toBe(false)
  })

  test.for([
    ['a chain of another name', { chainId: 'other' }, 'is that of chain ev-test, not other'],
    ['another genesis', {}, 'is another genesis than the given one'],
  ] as const)('%s is refused', async ([, change, message]) => {
    const directory = scratch()
    const [one, two] = [await createNode(aggregator), await createNode(aggregator)]
    await createNode({ ...quiet, directory, genesis: one.genesis })
    const wrong = 'chainId' in change ? change : { genesis: two.genesis }
    await expect(createNode({ directory, ...wrong })).rejects.toThrow(message)
  })

  test('two of one directory do not run at once, and the one that runs does not mind', async () => {
    const options = { ...aggregator, ...quiet, directory: scratch() }
    const first = await started(await createNode(options))
    const second = await createNode(options)
    await expect(second.start()).rejects.toMatchObject({ code: 'SIGNER_IN_USE' })
    const { height } = first.status()
    await until(first, async () => first.status().height > height)
    await first.stop()
    await started(second)
  })

  test('what a creation that was cut off left is used, whatever is missing', async () => {
    const directory = scratch()
    const options = { ...aggregator, ...quiet, directory }
    const config = (file: string): string => join(directory, 'config', file)
    await createNode(options)
    const passphrase = readFileSync(config('passphrase'), 'utf8')
    for (const missing of [
      ['genesis.json'],
      ['genesis.json', 'signer.json'],
      ['node_key.json', 'evnode.yaml'],
    ]) {
      for (const file of missing) rmSync(config(file))
      const node = await createNode(options)
      expect(node.genesis.chainId).toBe('ev-test')
      expect(missing.every((file) => existsSync(config(file)))).toBe(true)
    }
    expect(readFileSync(config('passphrase'), 'utf8')).toBe(passphrase)
  })

  test.for([
    ['evnode.yaml', 'node: [', 'INVALID_CONFIG'],
    ['genesis.json', '{}', 'INVALID_GENESIS'],
    ['node_key.json', 'null', 'INVALID_NODE_KEY'],
    ['signer.json', '{"nonce":1}', 'CORRUPT_SIGNER_FILE'],
  ] as const)('a damaged %s is told, and stays', async ([file, text, code]) => {
    const directory = scratch()
    await createNode({ ...aggregator, ...quiet, directory })
    const path = join(directory, 'config', file)
    writeFileSync(path, text)
    await expect(createNode({ ...aggregator, ...quiet, directory })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(path),
    })
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  test('a place that cannot be written to', async () => {
    const file = join(scratch(), 'file')
    writeFileSync(file, '')
    await expect(createNode({ ...aggregator, directory: join(file, 'node') })).rejects.toMatchObject({
      code: 'FILE_FAILED',
    })
  })

  test('a key whose passphrase is elsewhere is not opened by a new one', async () => {
    const directory = scratch()
    const passphraseFile = join(scratch(), 'pass')
    writeFileSync(passphraseFile, 'correct horse')
    await createNode({ ...quiet, directory, aggregator: { passphraseFile } })
    await expect(createNode({ ...quiet, directory, aggregator: true })).rejects.toThrow(
      'signer.passphrase_file: there is no file',
    )
    expect(existsSync(join(directory, 'config/passphrase'))).toBe(false)
    await createNode({ ...quiet, directory, aggregator: { passphraseFile } })
  })
})

describe('what does not go is told', () => {
  const wrong: readonly (readonly [CreateNodeOptions, string])[] = [
    [
      {},
      'createNode: a node that follows a chain needs its genesis: give genesis, the text of its genesis.json',
    ],
    [{ genesis: '{' }, 'genesis: the file is not JSON'],
    [{ ...aggregator, blockTime: -1 }, 'node.block_time: '],
    [{ ...aggregator, blockTime: Number.NaN }, 'node.block_time: '],
    [{ ...aggregator, peers: ['nonsense'] }, 'p2p.peers: '],
    [{ ...aggregator, listen: 'localhost' }, 'p2p.listen_address: '],
    [{ ...aggregator, rpc: 'everywhere' }, 'rpc.address: '],
    [{ ...aggregator, da: { address: 'ftp://x' } }, 'da.address: '],
    [
      { ...aggregator, config: { 'node.blocktime': 1 } },
      'node.blocktime is no key of the configuration; did you mean node.block_time? (createNode)',
    ],
    [{ aggregator: { passphraseFile: 'x' } }, 'aggregator.passphraseFile is for nodes with a directory'],
    [
      { directory: '/tmp/x', aggregator: { seed: new Uint8Array(32) } },
      'aggregator.seed is for nodes without',
    ],
  ]
  test.for(wrong)('%j: %s', async ([{ executor: _executor, ...options }, message]) => {
    await expect(createNode(options)).rejects.toThrow(message)
  })

  test('a directory without genesis', async () => {
    const directory = scratch()
    await expect(createNode({ directory })).rejects.toThrow(
      `give genesis, the text of its genesis.json, or put it at ${join(directory, 'config/genesis.json')}`,
    )
  })

  test('a key that is not the proposer’s', async () => {
    const { genesis } = await createNode(aggregator)
    await expect(createNode({ ...aggregator, genesis })).rejects.toThrow('the genesis names the proposer')
  })
})

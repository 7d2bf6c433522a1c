import {
  appendFile,
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { testHosts } from '../../../test/support/hosts.ts'
import { type CliWorld, runCli } from '../../../test/support/run-cli.ts'
import { INFO, PEERS, startScriptedRpc, STATUS } from '../../../test/support/scripted-rpc.ts'
import { systemEnv } from '../../core/env.ts'
import { noopLogger } from '../../core/logger.ts'
import { createLocalDaNode } from '../../node/local-da.ts'
import { createFileLedger } from '../../signer/ledger.node.ts'
import { createBlockStore } from '../../store/block-store.ts'
import { createLevelKv } from '../../store/kv-level.node.ts'
import { formatGenesis } from '../../types/genesis.ts'
import { initialState } from '../../types/state.ts'
import { checkMemory } from '../doctor/machine.ts'
import { checkClock } from '../doctor/network.ts'

interface Check {
  readonly area: string
  readonly level: string
  readonly message: string
  readonly advice: string | null
}

interface Report {
  readonly code: number
  readonly problems: number
  readonly warnings: number
  readonly checks: readonly Check[]
  readonly stderr: string
}

const { genesis } = makeChain({ count: 1, chainId: 'doctored' })

/** A home that is well: nothing of it is in the way of others, and nobody is configured whom it could ask. */
async function setUp(given: readonly string[] = [], { withGenesis = true } = {}) {
  const scratch = await mkdtemp(join(tmpdir(), 'evolve-doctor-test-'))
  onTestFinished(async () => await rm(scratch, { recursive: true, force: true }))
  const home = join(scratch, 'home')
  const passphrase = join(scratch, 'pass')
  await writeFile(passphrase, 'secret')
  const keys = {
    '--evnode.rpc.address': '127.0.0.1:1',
    '--evnode.p2p.listen_address': '/ip4/127.0.0.1/tcp/0',
  }
  const made = await runCli(['init', '--home', home, ...Object.entries(keys).flat(), ...given])
  expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: '' })
  const file = (name: string): string => join(home, 'config', name)
  if (withGenesis) await writeFile(file('genesis.json'), formatGenesis(genesis))
  async function doctor(parameters: readonly string[] = [], world: CliWorld = {}): Promise<Report> {
    const { code, stdout, stderr } = await runCli(['doctor', '--json', '--home', home, ...parameters], world)
    return { code, stderr, ...JSON.parse(stdout) }
  }
  return { home, file, passphrase, doctor, withPassphrase: ['--evnode.signer.passphrase_file', passphrase] }
}

const of = ({ checks }: Report, area: string): readonly Check[] =>
  checks.filter((check) => check.area === area)
const found = (level: string, text: string, advice?: string) =>
  expect.objectContaining({
    level,
    message: expect.stringContaining(text),
    ...(advice === undefined ? {} : { advice: expect.stringContaining(advice) }),
  })

/** Every file below a folder with its content. */
async function picture(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const read = files.map(async (path) => [
    path,
    `${(await stat(path)).mtimeMs} ${await readFile(path, 'base64')}`,
  ])
  return Object.fromEntries(await Promise.all(read))
}

describe('a home that is well', () => {
  test('is told so, each advice with what to do, and nothing in it is changed', async () => {
    const { home, doctor } = await setUp()
    const before = await picture(home)
    const report = await doctor()
    expect(of(report, 'home')).toEqual([found('ok', home)])
    expect(of(report, 'config')).toEqual([found('ok', 'evnode.yaml')])
    expect(of(report, 'genesis')).toEqual([found('ok', 'chain doctored')])
    expect(of(report, 'node key')).toEqual([found('ok', 'peer id 12D3KooW')])
    expect(of(report, 'node')).toEqual([found('ok', 'it does not run')])
    expect(of(report, 'database')).toEqual([found('ok', 'none yet')])
    expect(of(report, 'peers')).toEqual([found('problem', 'neither peers nor a DA node', 'p2p.peers')])
    expect(report).toMatchObject({ code: 1, problems: 1, stderr: expect.stringContaining('found 1 problem') })
    for (const { level, advice } of report.checks) expect(advice === null).toBe(level === 'ok')
    expect(await picture(home)).toEqual(before)
  })

  test('as text shows the same, and exits with 0 when there is no problem', async () => {
    const da = createLocalDaNode({ env: systemEnv, logger: noopLogger }, { host: '127.0.0.1', port: 0 })
    await da.start()
    onTestFinished(async () => await da.stop())
    await da.produce()
    const { home } = await setUp(['--evnode.da.address', da.address, '--evnode.da.namespace', 'ns'])
    const { code, stdout, stderr } = await runCli(['doctor', '--home', home])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^ok +DA +http.* answers in \d+ ms, height \d+/m)
    expect(stdout).toMatch(/^warning +peers .*\n +→ set p2p\.peers/m)
    expect(stdout).toMatch(/^no problems, 1 warning$/m)
    expect(stdout).not.toContain('\u001b')
  })
})

describe('a home that is not', () => {
  test('there is told, with how to make it', async () => {
    const { code, stdout } = await runCli(['doctor', '--home', join(tmpdir(), 'no', 'such', 'home')])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^problem +home +there is no .*\n +→ run: evolve init/m)
    expect(stdout).toMatch(/^problem +genesis /m)
    expect(stdout).toMatch(/^problem +node key /m)
  })

  test('configured well tells every problem, and is looked at with the rest', async () => {
    const { file, doctor } = await setUp()
    await appendFile(file('evnode.yaml'), 'nod:\n  light: true\n')
    const report = await doctor(
      ['--evnode.node.lazy_mode', '--evnode.node.lazy_block_interval=1ms', '--evnode.log.level=loud'],
      {
        variables: { EVNODE_TYPO: '1' },
      },
    )
    expect(report.code).toBe(1)
    const config = of(report, 'config').filter(({ level }) => level === 'problem')
    expect(config).toEqual(
      expect.arrayContaining([
        found('problem', 'nod'),
        found('problem', 'EVNODE_TYPO'),
        found('problem', 'log.level'),
        found('problem', 'lazy_block_interval'),
      ]),
    )
    expect(of(report, 'genesis')).toEqual([found('ok', 'doctored')])
  })

  test('with damaged files says which and what to do', async () => {
    const { file, doctor } = await setUp()
    await writeFile(file('genesis.json'), formatGenesis(genesis).replace('doctored', ''))
    await writeFile(file('node_key.json'), '{"priv')
    const report = await doctor()
    expect(of(report, 'genesis')).toEqual([found('problem', 'chain_id', 'copy it anew')])
    expect(of(report, 'node key')).toEqual([found('problem', 'node_key.json')])
    await chmod(file('node_key.json'), 0o644)
    expect(of(await doctor(), 'node key')).toEqual([found('problem', 'chmod 600')])
  })

  test('has a chain that begins later is told to wait', async () => {
    const { file, doctor } = await setUp()
    await writeFile(
      file('genesis.json'),
      formatGenesis({ ...genesis, startTime: systemEnv.now() + 10n ** 15n }),
    )
    expect(of(await doctor(), 'genesis')).toEqual([found('warning', 'begins at', 'wait')])
  })
})

describe('the key that signs', () => {
  /** The home of an aggregator, its genesis its own. */
  async function aggregator() {
    const scratch = await mkdtemp(join(tmpdir(), 'evolve-doctor-pass-'))
    onTestFinished(async () => await rm(scratch, { recursive: true, force: true }))
    await writeFile(join(scratch, 'pass'), 'secret')
    const given = ['--evnode.node.aggregator', '--evnode.signer.passphrase_file', join(scratch, 'pass')]
    return await setUp(given, { withGenesis: false })
  }

  test('opens with its passphrase, and is the one that genesis names', async () => {
    const { file, doctor, withPassphrase, passphrase } = await aggregator()
    expect(of(await doctor(), 'signer')).toEqual([found('warning', 'was not tried', 'passphrase_file')])
    await chmod(passphrase, 0o644)
    expect(of(await doctor(withPassphrase), 'signer')).toContainEqual(
      found('warning', passphrase, 'chmod 600'),
    )
    await chmod(passphrase, 0o600)
    const report = await doctor(withPassphrase)
    expect(of(report, 'signer')).toEqual([found('ok', 'opens')])
    expect(of(report, 'ledger')).toEqual([found('warning', 'there is no', 'copy its signer.ledger')])
    await writeFile(passphrase, 'wrong')
    expect(of(await doctor(withPassphrase), 'signer')).toEqual([found('problem', 'passphrase')])
    await writeFile(file('genesis.json'), formatGenesis(genesis))
    expect(of(await doctor(), 'signer')).toContainEqual(found('problem', 'not this key', 'keys import'))
    await chmod(file('signer.json'), 0o644)
    expect(of(await doctor(), 'signer')).toEqual([found('problem', 'chmod 600')])
  })

  test('has a ledger that is its own and whole', async () => {
    const { file, doctor } = await aggregator()
    const other = await aggregator()
    const addressOf = async (path: string): Promise<Uint8Array> => {
      const text: unknown = JSON.parse(await readFile(path, 'utf8'))
      const named = typeof text === 'object' && text !== null ? Reflect.get(text, 'proposer_address') : ''
      return new Uint8Array(Buffer.from(String(named), 'base64'))
    }
    for (const [home, height] of [
      [file, 12],
      [other.file, 99],
    ] as const) {
      const keyFingerprint = await addressOf(home('genesis.json'))
      const ledger = createFileLedger({ path: home('signer.ledger'), keyFingerprint })
      await ledger.start()
      await ledger.reserve(height, new Uint8Array(32))
      await ledger.stop()
    }
    expect(of(await doctor(), 'ledger')).toEqual([found('ok', 'last signed height 12')])
    await copyFile(other.file('signer.ledger'), file('signer.ledger'))
    expect(of(await doctor(), 'ledger')).toEqual([
      found('problem', 'that of another key', 'never start without it'),
    ])
    await writeFile(file('signer.ledger'), 'x')
    expect(of(await doctor(), 'ledger')).toEqual([found('problem', 'signer.ledger', 'do not remove it')])
  })
})

describe('the database', () => {
  async function withDatabase() {
    const home = await setUp()
    const path = join(home.home, 'data', 'kv')
    const kv = createLevelKv({ path })
    const blocks = createBlockStore({ kv })
    await mkdir(path, { recursive: true })
    await kv.start()
    await blocks.start()
    await blocks.saveState(initialState(genesis, new Uint8Array(32)))
    return { ...home, path, kv, close: async () => (await blocks.stop(), await kv.stop()) }
  }

  test('is looked at without being touched', async () => {
    const { home, doctor, close } = await withDatabase()
    await close()
    const before = await picture(home)
    expect(of(await doctor(), 'database')).toEqual([found('ok', 'height 0, its last block is whole')])
    expect(await picture(home)).toEqual(before)
  })

  test('in use is told with the process, and that nobody answers', async () => {
    const { doctor, close } = await withDatabase()
    try {
      expect(of(await doctor(), 'database')).toEqual([
        found('warning', `in use by process ${process.pid}, but no node answers`),
      ])
    } finally {
      await close()
    }
  })

  test('that is damaged says so', async () => {
    const { path, doctor, close } = await withDatabase()
    await close()
    await rm(join(path, 'CURRENT'))
    expect(of(await doctor(), 'database')).toEqual([
      found('problem', `${path} has lost its file CURRENT`, 'backup'),
    ])
  })
})

describe('ports', () => {
  test('in use by others are problems, public RPC is a warning', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(async () => await new Promise<void>((resolve) => server.close(() => resolve())))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { doctor } = await setUp()
    const report = await doctor([
      '--evnode.p2p.listen_address',
      `/ip4/127.0.0.1/tcp/${port}`,
      '--evnode.rpc.address',
      '0.0.0.0:0',
      '--evnode.instrumentation.prometheus',
      '--evnode.instrumentation.prometheus_listen_addr',
      '203.0.113.99:0',
    ])
    expect(of(report, 'ports')).toEqual(
      expect.arrayContaining([
        found('problem', `peers: 127.0.0.1:${port} is in use`, 'p2p.listen_address'),
        found('warning', 'RPC: 0.0.0.0:0 can be reached from other machines'),
      ]),
    )
  })
})

describe('peers', () => {
  test('are dialled, and must be who their address names', async () => {
    const hosts = testHosts('doctored')
    onTestFinished(async () => await hosts.stop())
    const [host, other] = [await hosts.start(), await hosts.start()]
    const [address = ''] = host.addresses()
    const stranger = address.replace(host.id, other.id)
    const dead = `/ip4/127.0.0.1/tcp/1/p2p/${other.id}`
    const { doctor } = await setUp()
    const report = await doctor(['--evnode.p2p.peers', [address, stranger, dead].join(',')])
    expect(of(report, 'peers')).toEqual([
      found('problem', 'serves no headers of this chain', 'compare its genesis'),
      found('problem', `${stranger}: Unexpected Peer`, 'present peer id'),
      found('problem', `${dead}: `, 'whether it runs'),
    ])
  })
})

describe('DA', () => {
  test('that wants a token, or is not there, is told with what to set', async () => {
    const da = createLocalDaNode(
      { env: systemEnv, logger: noopLogger },
      { host: '127.0.0.1', port: 0, authToken: 'token' },
    )
    await da.start()
    onTestFinished(async () => await da.stop())
    const { doctor } = await setUp(['--evnode.da.address', da.address, '--evnode.da.namespace', 'ns'])
    expect(of(await doctor(['--evnode.da.auth_token', 'token']), 'DA')).toEqual([
      found('warning', 'no blocks yet'),
    ])
    await da.produce()
    expect(of(await doctor(), 'DA')).toEqual([found('problem', da.address, 'da.auth_token')])
    expect(of(await doctor(['--evnode.da.auth_token', 'token']), 'DA')).toEqual([found('ok', 'answers in')])
    expect(of(await doctor(['--evnode.da.address', 'http://127.0.0.1:1']), 'DA')).toEqual([
      found('problem', '127.0.0.1:1', 'da.address'),
    ])
  })
})

describe('the node that runs', () => {
  test.each([
    ['following', { lastBlockTime: systemEnv.now(), height: 2_000n }, found('ok', 'following, height 2000')],
    ['catching-up', {}, found('ok', '800 blocks behind, about 7s left')],
    ['halted', {}, found('problem', 'it has stopped itself', 'log')],
    ['waiting-peers', {}, found('warning', 'waiting for the first block')],
    ['waiting-executor', {}, found('problem', 'waiting for the executor', 'execution layer')],
  ])('%s is judged', async (phase, more, expected) => {
    const { doctor } = await setUp()
    const key =
      of(await doctor(), 'node key')[0]
        ?.message.split(' ')
        .at(-1) ?? ''
    const rpc = await startScriptedRpc({
      chain: {
        getInfo: () => ({ ...INFO, chainId: 'doctored', peerId: key }),
        getStatus: () => ({ status: { ...STATUS, phase, ...more } }),
      },
    })
    onTestFinished(async () => await rpc.stop())
    const report = await doctor(['--evnode.rpc.address', rpc.url.slice('http://'.length)])
    expect(of(report, 'node')).toContainEqual(expected)
    expect(of(report, 'ports')).toContainEqual(found('ok', 'in use, by the running node'))
  })

  test('has peers that need no dialling, and is known when it is another', async () => {
    const { doctor } = await setUp()
    const key =
      of(await doctor(), 'node key')[0]
        ?.message.split(' ')
        .at(-1) ?? ''
    const hosts = testHosts('doctored')
    const { id } = hosts.make()
    const [first] = PEERS.peers
    const rpc = await startScriptedRpc({
      chain: { getInfo: () => ({ ...INFO, chainId: 'doctored', peerId: key }) },
      network: { listPeers: () => ({ ...PEERS, peers: [{ ...first, id }] }) },
    })
    onTestFinished(async () => await rpc.stop())
    const address = ['--evnode.rpc.address', rpc.url.slice('http://'.length)]
    const report = await doctor([...address, '--evnode.p2p.peers', `/ip4/127.0.0.1/tcp/1/p2p/${id}`])
    expect(of(report, 'peers')).toEqual([found('ok', 'is connected to the node')])
    const other = await setUp()
    expect(of(await other.doctor(address), 'node')).toEqual([
      found('problem', 'another node answers', 'of its own'),
    ])
  })
})

test('memory is judged by its limit and by what is free', () => {
  const MIB = 1024 * 1024
  const good = { limit: Infinity, available: 4_096 * MIB, free: 4_096 * MIB, heap: 2_048 * MIB }
  expect(checkMemory(good).level).toBe('ok')
  expect(checkMemory({ ...good, limit: 200 * MIB }).level).toBe('problem')
  expect(checkMemory({ ...good, limit: 400 * MIB }).level).toBe('warning')
  expect(checkMemory({ ...good, heap: 128 * MIB }).level).toBe('warning')
  expect(checkMemory({ ...good, available: 100 * MIB, free: 100 * MIB }).level).toBe('warning')
})

test('a clock behind the newest block is told', () => {
  const now = 1_700_000_000_000_000_000n
  const seconds = (count: number): bigint => now + BigInt(count) * 1_000_000_000n
  expect(checkClock(now, []).level).toBe('ok')
  expect(checkClock(now, [seconds(-5), seconds(-900)])).toMatchObject({
    level: 'ok',
    message: expect.stringContaining('5s old'),
  })
  expect(checkClock(now, [seconds(-5), seconds(5)]).level).toBe('warning')
  expect(checkClock(now, [seconds(60)]).level).toBe('problem')
})

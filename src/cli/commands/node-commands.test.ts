import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { type CliOutcome, type CliWorld, runCli } from '../../../test/support/run-cli.ts'
import {
  blockAnswer,
  INFO,
  type RpcScript,
  startScriptedRpc,
  STATUS,
} from '../../../test/support/scripted-rpc.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { systemEnv } from '../../core/env.ts'
import { type Data, dataCommitment } from '../../types/data.ts'
import { headerHash } from '../../types/header.ts'
import { toHex, utf8 } from '../../util/bytes.ts'
import { sha256 } from '../../util/crypto.node.ts'

/** 15 minutes after the node's last block. */
const NOW = STATUS.lastBlockTime + 900_000_000_000n
const clock = { ...systemEnv, now: () => NOW }

async function setUp(script: RpcScript = {}) {
  const rpc = await startScriptedRpc(script)
  onTestFinished(async () => await rpc.stop())
  const run = async (parameters: readonly string[], world: CliWorld = {}): Promise<CliOutcome> =>
    await runCli([...parameters, '--rpc', rpc.url], { env: clock, ...world })
  const json = async (...parameters: readonly string[]): Promise<unknown> =>
    JSON.parse((await run([...parameters, '--json'])).stdout)
  return { ...rpc, run, json }
}

/** Ctrl-C by hand. */
function interruptible() {
  const listeners = new Set<() => void>()
  return {
    signals: {
      on: (_: string, listener: () => void) => listeners.add(listener),
      off: (_: string, listener: () => void) => listeners.delete(listener),
      exit: () => undefined,
    },
    interrupt: () => [...listeners].slice(0, 1).forEach((listener) => listener()),
  }
}

const COMMANDS = [
  ['status'],
  ['net-info'],
  ['tx', 'a=b'],
  ['tx', 'a=b', '--wait'],
  ['log-level'],
  ['log-level', 'debug'],
  ['inspect', 'block', '1'],
]

describe('a node that does not answer', () => {
  test.each(COMMANDS)('is told by %s %s %s with what to look at, and exit code 1', async (...parameters) => {
    const { code, stdout, stderr } = await runCli([...parameters, '--rpc', '127.0.0.1:1'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('http://127.0.0.1:1 cannot be reached')
    expect(stderr).toContain('evolve start')
    expect(stderr).toContain('--rpc')
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  test('is looked for at the address of the home', async () => {
    const home = await mkdtemp(join(tmpdir(), 'evolve-status-'))
    onTestFinished(async () => await rm(home, { recursive: true, force: true }))
    await runCli(['init', '--home', home, '--evnode.rpc.address', '0.0.0.0:2'])
    const { code, stderr } = await runCli(['status', '--home', home])
    expect(code).toBe(1)
    expect(stderr).toContain('http://127.0.0.1:2')
    expect(stderr).toContain(`rpc.address of ${home}`)
    const variables = { EVNODE_HOME: home, EVNODE_RPC_ADDRESS: '127.0.0.1:3' }
    expect((await runCli(['status'], { variables })).stderr).toContain('http://127.0.0.1:3')
  })

  test('an address that is none is a mistake, and so is something else that answers there', async () => {
    const wrong = await runCli(['status', '--rpc', 'ftp://x'])
    expect({ code: wrong.code, stderr: wrong.stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('http://127.0.0.1:7331'),
    })
    const { run } = await setUp({
      chain: {
        getInfo() {
          throw new ConnectError('no such thing', Code.Unimplemented)
        },
      },
    })
    const other = await run(['status'])
    expect(other.code).toBe(1)
    expect(other.stderr).toContain('does not offer this')
  })
})

describe('status', () => {
  test('tells everything once where nobody watches', async () => {
    const { run } = await setUp()
    const { code, stdout, stderr } = await run(['status'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const line of [
      /^rpc-chain +http/m,
      /^syncing .*60\.0 %.*1,200 \/ 2,000 .*121 blocks\/s.*2 peers.*7s left/m,
      /^node +follower, version 1\.2\.3, up 30m00s$/m,
      /^last block +1,200 +15m00s ago, 2023-11-14T22:28:20Z$/m,
      /^data +1,800 +\(100 behind\)$/m,
      /^executed +1,200 +\(800 behind\)$/m,
      /^final +1,100 +\(100 behind\)$/m,
      /^DA +read to 40 of 50$/m,
      /^speed +121 blocks\/s +0\.5 tx\/s +700 headers\/s +3\.0 DA heights\/s$/m,
    ]) {
      expect(stdout).toMatch(line)
    }
    expect(stdout).not.toContain('\u001b')
  })

  test('as JSON is one object', async () => {
    const { url, json } = await setUp()
    expect(await json('status')).toEqual({
      url,
      chain_id: 'rpc-chain',
      version: '1.2.3',
      role: 'follower',
      peer_id: INFO.peerId,
      started: '2023-11-14T22:13:20Z',
      phase: 'catching-up',
      height: 1_200,
      header_height: 1_900,
      data_height: 1_800,
      target_height: 2_000,
      final_height: 1_100,
      earliest_height: 1,
      peers: 2,
      da: { next: 41, head: 50, reachable: true, pending: 3 },
      last_block_time: '2023-11-14T22:28:20Z',
      last_block_age_ms: 900_000,
      state_root: '01'.repeat(32),
      last_header_hash: '02'.repeat(32),
      rates: { blocks: 120.5, transactions: 0.5, headers: 700, da_heights: 3 },
      estimate_ms: 6_640,
    })
  })

  test('of a phase of a later version, without DA and blocks, is shown all the same', async () => {
    const { da: _, ...bare } = { ...STATUS, phase: 'dreaming\u001b[2J', lastBlockTime: 0n, targetHeight: 0n }
    const { run } = await setUp({ chain: { getStatus: () => ({ status: bare }) } })
    const { code, stdout } = await run(['status'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^state +dreaming·\[2J$/m)
    expect(stdout).toMatch(/^last block +none yet$/m)
    expect(stdout).toMatch(/^DA +none$/m)
  })

  test('with --watch tells every change, one a line, until Ctrl-C', async () => {
    const { signals, interrupt } = interruptible()
    const { run } = await setUp({
      chain: {
        async *subscribeStatus(_, { signal }) {
          for (const height of [1n, 2n, 3n]) yield { status: { ...STATUS, height } }
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      },
    })
    for (const [parameters, heightIn] of [
      [['--json'], (line: string) => JSON.parse(line).height],
      [[], (line: string) => Number(/height (\d+) of 2000/.exec(line)?.[1])],
    ] as const) {
      const heights: unknown[] = []
      const { code } = await run(['status', '--watch', ...parameters], {
        signals,
        print(text) {
          heights.push(heightIn(text))
          if (heights.length === 3) interrupt()
        },
      })
      expect({ code, heights }).toEqual({ code: 0, heights: [1, 2, 3] })
    }
  })

  test('on a terminal changes in place, says when the node is lost, and goes on when it is back', async () => {
    const { signals, interrupt } = interruptible()
    let asked = 0
    const { run } = await setUp({
      chain: {
        async *subscribeStatus(_, { signal }) {
          asked++
          yield { status: { ...STATUS, phase: 'following', height: BigInt(asked) } }
          if (asked === 1) throw new ConnectError('gone', Code.Unavailable)
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      },
    })
    const pictures: string[] = []
    let released = 0
    const { code, stdout } = await run(['status'], {
      signals,
      outputIsTerminal: true,
      screen: {
        interactive: true,
        width: 80,
        show(lines) {
          for (const line of lines) expect(line.length).toBeLessThan(80)
          pictures.push(lines.join('\n'))
          if (/^executed +2/m.test(pictures.at(-1) ?? '')) interrupt()
        },
        release: () => released++,
      },
    })
    expect({ code, stdout, released }).toEqual({ code: 0, stdout: '', released: 1 })
    expect(pictures[0]).toContain('Ctrl-C ends')
    expect(pictures.some((picture) => picture.includes('no answer: '))).toBe(true)
    expect(pictures.at(-1)).not.toContain('no answer')
    expect(pictures.at(-1)).toMatch(/^state +following$/m)
  })

  test('an age that grows is drawn anew although nothing is told', async () => {
    const virtual = createVirtualEnv(NOW)
    const { signals, interrupt } = interruptible()
    const { run } = await setUp({
      chain: {
        async *subscribeStatus(_, { signal }) {
          yield { status: STATUS }
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      },
    })
    const ages: (string | undefined)[] = []
    const told = Promise.withResolvers<void>()
    const ended = run(['status'], {
      signals,
      env: virtual.env,
      outputIsTerminal: true,
      screen: {
        interactive: true,
        width: 100,
        show(lines) {
          ages.push(/(\S+) ago/.exec(lines.join('\n'))?.[1])
          told.resolve()
        },
        release: () => undefined,
      },
    })
    await told.promise
    await virtual.advance(3_000)
    interrupt()
    expect((await ended).code).toBe(0)
    expect(ages.at(-1)).toBe('15m03s')
  })
})

describe('net-info', () => {
  test('tells id, addresses and open connections in a table', async () => {
    const { run } = await setUp()
    const { code, stdout } = await run(['net-info'])
    expect(code).toBe(0)
    expect(stdout).toContain(`node id    ${INFO.peerId}\n`)
    expect(stdout).toMatch(/^listening +\/ip4\/127\.0\.0\.1.*\n +\/ip4\/10\.0\.0\.1/m)
    expect(stdout).toMatch(
      /^12D3KooWPeerA +outbound +30m00s +yes +evolve\/1 +\/ip4\/203\.0\.113\.7\/tcp\/7676$/m,
    )
    expect(stdout).toMatch(/^12D3KooWPeerB +inbound +30m00s +no +evil·\[2J/m)
    expect(stdout).not.toContain('\u001b')
  })

  test.each([[['--json']], [['-o', 'json']], [['--output', 'json']]])(
    'with %j is JSON',
    async (parameters) => {
      const { run } = await setUp()
      expect(JSON.parse((await run(['net-info', ...parameters])).stdout)).toMatchObject({
        node_id: INFO.peerId,
        listen_addresses: [expect.stringContaining('127.0.0.1'), expect.stringContaining('10.0.0.1')],
        peers: [
          {
            id: '12D3KooWPeerA',
            address: '/ip4/203.0.113.7/tcp/7676/p2p/12D3KooWPeerA',
            direction: 'outbound',
            configured: true,
          },
          { id: '12D3KooWPeerB', direction: 'inbound', configured: false },
        ],
      })
    },
  )

  test('without anybody says so', async () => {
    const { run } = await setUp({
      network: { listPeers: () => ({ peerId: INFO.peerId, listenAddresses: [], peers: [] }) },
    })
    expect((await run(['net-info'])).stdout).toMatch(/^listening +nowhere\npeers +0$/m)
  })
})

describe('tx', () => {
  const { blocks } = makeChain({ count: 3 })
  const [, second] = blocks
  if (second === undefined) throw new Error('no block 2')
  const [tx = utf8('')] = second.data.txs
  const text = new TextDecoder().decode(tx)

  /** A node at height 1 that puts what it takes into block 2. */
  function chain(submitted: Uint8Array[] = []): RpcScript {
    return {
      chain: {
        getStatus: () => ({ status: { ...STATUS, height: 1n } }),
        submitTransaction({ data }) {
          submitted.push(data)
          return { hash: sha256(data) }
        },
        async *subscribeBlocks(request, { signal }) {
          expect(request).toMatchObject({ from: 2n, full: true })
          for (const one of blocks.slice(1)) {
            const { summary, header, data } = blockAnswer(one.header, one.data)
            yield { ...(summary && { summary }), ...(header && { header }), ...(data && { data }) }
          }
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
        async *subscribeFinality({ from }, { signal }) {
          yield { height: from, hash: new Uint8Array(32), headerDaHeight: 5n, dataDaHeight: 6n }
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      },
    }
  }

  test('is handed over as text, hex, or as it comes, and its hash is told', async () => {
    const submitted: Uint8Array[] = []
    const { run, json } = await setUp(chain(submitted))
    expect((await run(['tx', 'name=Ada'])).stdout).toBe(`hash      ${toHex(sha256(utf8('name=Ada')))}\n`)
    await run(['tx', '--hex', '0xFF00'])
    await run(['tx', '-'], { stdin: [Uint8Array.of(0xfe, 0x0a)] })
    expect(submitted).toEqual([utf8('name=Ada'), Uint8Array.of(0xff, 0), Uint8Array.of(0xfe, 0x0a)])
    expect(await json('tx', 'a=b')).toEqual({
      hash: toHex(sha256(utf8('a=b'))),
      height: null,
      index: null,
      final: false,
      header_da_height: null,
      data_da_height: null,
    })
  })

  test('is waited for until it is in a block, or final', async () => {
    const { run, json } = await setUp(chain())
    expect((await run(['tx', text, '--wait'])).stdout).toMatch(/^in block +2, at place 0$/m)
    expect((await run(['tx', text, '--wait', 'block'])).code).toBe(0)
    expect((await run(['tx', text, '--wait', 'final'])).stdout).toMatch(
      /^final +header at DA height 5, data at 6$/m,
    )
    expect(await json('tx', text, '--wait', 'final')).toMatchObject({
      height: 2,
      index: 0,
      final: true,
      header_da_height: 5,
      data_da_height: 6,
    })
  })

  test('that does not come into a block in time is told with its hash', async () => {
    const { run } = await setUp(chain())
    const { code, stdout, stderr } = await run(['tx', 'never=there', '--wait', '--timeout', '100ms'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(
      `the transaction ${toHex(sha256(utf8('never=there')))} was taken, but is not in a block`,
    )
  })

  test('that is refused says why', async () => {
    const { run } = await setUp({
      chain: {
        submitTransaction() {
          throw new ConnectError('expected key=value', Code.InvalidArgument)
        },
      },
    })
    const { stderr } = await run(['tx', 'nonsense'])
    expect(stderr).toContain('expected key=value')
  })

  test('that is none is a mistake, and nothing is sent', async () => {
    const submitted: Uint8Array[] = []
    const { run } = await setUp(chain(submitted))
    for (const wrong of [
      ['tx', ''],
      ['tx', '-'],
      ['tx', '--hex', 'abc'],
      ['tx', '--hex', 'xyz!'],
      ['tx', 'a=b', '--wait', 'soon'],
      ['tx', 'a=b', '--timeout', '0s'],
    ]) {
      expect((await run(wrong)).code).toBe(2)
    }
    expect(submitted).toEqual([])
  })
})

describe('log-level', () => {
  test('tells the level, and changes it', async () => {
    const { run, json } = await setUp()
    expect((await run(['log-level'])).stdout).toBe('info\n')
    expect((await run(['log-level', 'debug'])).stdout).toBe('debug, before info\n')
    expect(await json('log-level')).toEqual({ level: 'debug' })
    expect(await json('log-level', 'warn')).toEqual({ level: 'warn', previous: 'debug' })
    expect((await run(['log-level', 'warn'])).stdout).toBe('warn already\n')
    const wrong = await run(['log-level', 'loud'])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain('trace, debug, info, warn, error')
  })

  test('is refused from another machine', async () => {
    const { run } = await setUp({
      admin: {
        getLogLevel() {
          throw new ConnectError('only on its own machine', Code.PermissionDenied)
        },
      },
    })
    const { code, stderr } = await run(['log-level'])
    expect(code).toBe(1)
    expect(stderr).toContain('only on its own machine')
  })
})

describe('inspect block', () => {
  const [block, other] = makeChain({ count: 2, txsAt: () => [utf8('a=b')] }).blocks
  if (block === undefined || other === undefined) throw new Error('no blocks')

  test('tells both halves and checks that they belong together', async () => {
    const asked: unknown[] = []
    const { run, json } = await setUp({
      chain: {
        getBlock({ identifier }) {
          asked.push(identifier.value)
          return blockAnswer(block.header, block.data)
        },
      },
    })
    const { code, stdout } = await run(['inspect', 'block', '1'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/signature +valid/)
    expect(stdout).toMatch(/data +belongs to the header/)
    expect(stdout).toMatch(/final +not yet/)
    expect(stdout).toContain('"a=b"')
    const hash = headerHash(block.header.header)
    expect(await json('inspect', 'block', toHex(hash))).toMatchObject({
      type: 'Block',
      valid: true,
      height: 1,
      header: { hash: toHex(hash), signature: { valid: true } },
      data: { commitment: toHex(dataCommitment(block.data)), tx_count: 1 },
    })
    await run(['inspect', 'block', 'latest'])
    expect(asked).toEqual([1n, hash, 0n])
    expect((await run(['inspect', 'block', 'newest'])).code).toBe(2)
  })

  test('whose halves do not belong together is wrong', async () => {
    const data: Data = { ...other.data }
    const { run } = await setUp({ chain: { getBlock: () => blockAnswer(block.header, data) } })
    const { code, stderr } = await run(['inspect', 'block', '1'])
    expect(code).toBe(1)
    expect(stderr).toContain('expected data of chain')
  })

  test('that is not there is told', async () => {
    const { run } = await setUp({
      chain: {
        getBlock() {
          throw new ConnectError('there is no block 9', Code.NotFound)
        },
      },
    })
    const { code, stderr } = await run(['inspect', 'block', '9'])
    expect(code).toBe(1)
    expect(stderr).toContain('there is no block 9')
  })
})

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Ended, runProgram, startProgram } from '../support/process.ts'

const scratch = mkdtempSync(join(tmpdir(), 'evolve-cli-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
let homes = 0
const newHome = (): string => join(scratch, `home-${homes++}`)

async function evolve(parameters: readonly string[], variables: Record<string, string> = {}): Promise<Ended> {
  return await runProgram('src/cli/main.ts', parameters, variables)
}

/** A user's mistake: exit code 2, a message that has `texts`, and no stack trace. */
function expectMistake({ code, stderr }: Ended, ...texts: readonly string[]): void {
  for (const text of texts) expect(stderr).toContain(text)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(code).toBe(2)
}

describe('version', () => {
  test('as text and as JSON', async () => {
    const { stdout, code } = await evolve(['version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^evolve \d+\.\d+\.\d+\nnode 2\d\./)
    const json: unknown = JSON.parse((await evolve(['version', '--json'])).stdout)
    expect(json).toMatchObject({ name: 'evolve', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) })
  })
})

describe('help', () => {
  test.each([[['--help']], [['init', '--help']], [['start', '--help']], [['version', '--help']]])(
    'evolve %s has examples',
    async (parameters) => {
      const { stdout, code } = await evolve(parameters)
      expect(code).toBe(0)
      expect(stdout).toContain('Examples:')
    },
  )
})

describe('init', () => {
  test('makes a home that only its owner reads, and keeps it the second time', async () => {
    const home = newHome()
    const first = await evolve(['init', '--home', home])
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' })
    expect(first.stdout).toContain("copy the chain's genesis.json to")
    const key = readFileSync(join(home, 'config/node_key.json'), 'utf8')
    for (const name of ['evnode.yaml', 'node_key.json']) {
      expect(statSync(join(home, 'config', name)).mode & 0o777).toBe(0o600)
    }
    const second = await evolve(['init', '--home', home, '--evnode.node.block_time', '250ms'])
    expect(second.code).toBe(0)
    expect(second.stdout).toContain('(changed)')
    expect(readFileSync(join(home, 'config/node_key.json'), 'utf8')).toBe(key)
    expect(readFileSync(join(home, 'config/evnode.yaml'), 'utf8')).toContain('block_time: 250ms')
  })

  test('of an aggregator makes its key and its genesis, and never again', async () => {
    const home = newHome()
    const passphrase = join(scratch, 'passphrase')
    writeFileSync(passphrase, 'correct horse\n')
    const parameters = ['init', '--home', home, '--evnode.node.aggregator', '--chain_id', 'cli-test']
    parameters.push(
      '--evnode.da.address',
      'http://localhost:7980',
      '--evnode.signer.passphrase_file',
      passphrase,
    )
    expect((await evolve(parameters)).stderr).toBe('')
    const genesis = readFileSync(join(home, 'config/genesis.json'), 'utf8')
    expect(JSON.parse(genesis)).toMatchObject({ chain_id: 'cli-test', initial_height: 1 })
    expect(readFileSync(join(home, 'config/evnode.yaml'), 'utf8')).toMatch(
      / namespace: cli-test-[\da-f]{10}\n/,
    )
    expect(statSync(join(home, 'config/signer.json')).mode & 0o777).toBe(0o600)
    const again = await evolve([...parameters, '--json'])
    expect(again.code).toBe(0)
    const told: unknown = JSON.parse(again.stdout)
    expect(told).toEqual({
      home,
      config: { file: join(home, 'config/evnode.yaml'), state: 'kept' },
      peer_id: expect.stringMatching(/^12D3KooW/),
      signer: {
        file: join(home, 'config/signer.json'),
        state: 'kept',
        address: expect.stringMatching(/^[\da-f]{64}$/),
      },
      da_namespace: expect.stringMatching(/^cli-test-/),
      genesis: { file: join(home, 'config/genesis.json'), state: 'kept', chain_id: 'cli-test' },
    })
    expect(readFileSync(join(home, 'config/genesis.json'), 'utf8')).toBe(genesis)
    writeFileSync(passphrase, 'another')
    expectMistake(await evolve(parameters), 'passphrase')
  })

  test('of an aggregator without a passphrase is refused', async () => {
    expectMistake(
      await evolve([
        'init',
        '--home',
        newHome(),
        '--evnode.node.aggregator',
        '--evnode.da.address',
        'http://localhost:7980',
      ]),
      '--evnode.signer.passphrase_file',
    )
  })
})

describe('a home that exists', () => {
  test('takes values in every form, in their usual one', async () => {
    const home = newHome()
    await evolve(['init', '--home', home])
    const changed = await evolve([
      'init',
      '--home',
      home,
      '--evnode.node.lazy_mode=T',
      '--evnode.da.batch_min_items',
      '0x10',
      '--rollkit.node.block_time',
      '90s',
    ])
    expect({ code: changed.code, stderr: changed.stderr }).toEqual({ code: 2, stderr: expect.any(String) })
    expectMistake(changed, 'node.lazy_block_interval')
    const better = await evolve([
      'init',
      '--home',
      home,
      '--evnode.node.lazy_mode=T',
      '--evnode.node.lazy_block_interval',
      '1h',
      '--evnode.da.batch_min_items',
      '0x10',
      '--rollkit.node.block_time',
      '90s',
    ])
    expect({ code: better.code, stderr: better.stderr }).toEqual({ code: 0, stderr: '' })
    const lines = readFileSync(join(home, 'config/evnode.yaml'), 'utf8').split('\n')
    for (const line of [
      '  lazy_mode: true',
      '  batch_min_items: 16',
      '  block_time: 1m30s',
      '  lazy_block_interval: 1h0m0s',
    ]) {
      expect(lines).toContain(line)
    }
  })

  test('is not touched when something in it is wrong', async () => {
    const home = newHome()
    await evolve(['init', '--home', home])
    const file = join(home, 'config/evnode.yaml')
    const before = readFileSync(file, 'utf8')
    writeFileSync(join(home, 'config/genesis.json'), '{}')
    expectMistake(
      await evolve(['init', '--home', home, '--evnode.log.level', 'debug']),
      join(home, 'config/genesis.json'),
    )
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  test('with a key that others may read is refused', async () => {
    const home = newHome()
    await evolve(['init', '--home', home])
    chmodSync(join(home, 'config/node_key.json'), 0o644)
    expectMistake(await evolve(['init', '--home', home]), 'node_key.json', 'chmod 600')
  })

  test('of another chain is refused', async () => {
    const home = newHome()
    const passphrase = join(scratch, 'chain-passphrase')
    writeFileSync(passphrase, 'x')
    const parameters = [
      'init',
      '--home',
      home,
      '--evnode.node.aggregator',
      '--evnode.signer.passphrase_file',
      passphrase,
      '--chain-id',
    ]
    expect((await evolve([...parameters, 'one'])).code).toBe(0)
    const yaml = readFileSync(join(home, 'config/evnode.yaml'), 'utf8')
    expect(yaml).toContain(`  signer_path: ${join(home, 'config')}\n`)
    expectMistake(await evolve([...parameters, 'two']), 'chain one, not two')
  })
})

describe('what is wrong is told with its name, the value and what is allowed', () => {
  test('a flag', async () => {
    expectMistake(
      await evolve(['init', '--home', newHome(), '--evnode.node.blocktime', '1s']),
      'blocktime',
      'block_time',
    )
  })

  test('a value', async () => {
    expectMistake(
      await evolve(['init', '--home', newHome(), '--evnode.node.block_time', 'soon']),
      'node.block_time',
      'soon',
      '--evnode.node.block_time',
    )
  })

  test('a variable', async () => {
    expectMistake(
      await evolve(['init', '--home', newHome()], { EVNODE_NODE_BLOCKTIME: '1s' }),
      'EVNODE_NODE_BLOCKTIME',
      'EVNODE_NODE_BLOCK_TIME',
    )
  })

  test('keys of the file, all at once', async () => {
    const home = newHome()
    await evolve(['init', '--home', home])
    const file = join(home, 'config/evnode.yaml')
    writeFileSync(file, 'node:\n  blok_time: 1s\nlog:\n  level: loud\n')
    expectMistake(
      await evolve(['start', '--home', home]),
      'node.blok_time',
      'line 2',
      'log.level',
      'loud',
      'debug',
    )
  })

  test('a genesis file', async () => {
    const home = newHome()
    await evolve(['init', '--home', home])
    writeFileSync(join(home, 'config/genesis.json'), '{"chain_id": "x", "start_time": "yesterday"}')
    expectMistake(await evolve(['start', '--home', home]), 'start_time', 'yesterday', 'RFC 3339')
  })

  test('a home without genesis, without key', async () => {
    const home = newHome()
    expectMistake(await evolve(['start', '--home', home]), 'genesis.json')
  })
})

test('variables work: a flag wins over them, they win over the file', async () => {
  const home = newHome()
  const variables = { EVNODE_NODE_BLOCK_TIME: '300ms', EVNODE_HOME: home }
  expect((await evolve(['init'], variables)).code).toBe(0)
  expect(readFileSync(join(home, 'config/evnode.yaml'), 'utf8')).toContain('block_time: 300ms')
})

test('start runs until it is asked to stop, and the process ends by itself', async () => {
  const home = newHome()
  await evolve(['init', '--home', home])
  const genesis = {
    chain_id: 'cli-start',
    start_time: '2026-01-01T00:00:00Z',
    initial_height: 1,
    proposer_address: Buffer.alloc(32, 1).toString('base64'),
    da_start_height: 0,
    da_epoch_forced_inclusion: 50,
  }
  writeFileSync(join(home, 'config/genesis.json'), JSON.stringify(genesis))
  const parameters = [
    'start',
    '--home',
    home,
    '--evnode.p2p.listen_address',
    '/ip4/127.0.0.1/tcp/0',
    '--evnode.rpc.address',
    '127.0.0.1:0',
    '--evnode.log.format',
    'json',
  ]
  const node = startProgram('src/cli/main.ts', parameters)
  await node.line('stderr', 'node started')
  node.child.kill('SIGTERM')
  const { code, stderr } = await node.ended
  expect(code).toBe(0)
  for (const line of stderr
    .trim()
    .split('\n')
    .filter((text) => text.startsWith('{')))
    JSON.parse(line)
  expect(stderr).toContain('node stopped')
})

test('a second node on the same home is refused', async () => {
  const home = newHome()
  await evolve(['init', '--home', home])
  writeFileSync(
    join(home, 'config/genesis.json'),
    JSON.stringify({
      chain_id: 'cli-lock',
      start_time: '2026-01-01T00:00:00Z',
      initial_height: 1,
      proposer_address: Buffer.alloc(32, 1).toString('base64'),
      da_start_height: 0,
      da_epoch_forced_inclusion: 50,
    }),
  )
  const listen = [
    '--evnode.p2p.listen_address',
    '/ip4/127.0.0.1/tcp/0',
    '--evnode.rpc.address',
    '127.0.0.1:0',
  ]
  const parameters = ['start', '--home', home, ...listen]
  const first = startProgram('src/cli/main.ts', parameters)
  await first.line('stderr', 'node started')
  const second = await evolve(parameters)
  expect(second.code).not.toBe(0)
  expect(second.stderr).toContain(join(home, 'data'))
  first.child.kill('SIGINT')
  expect((await first.ended).code).toBe(0)
})

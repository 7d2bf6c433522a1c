import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { growKvChain, KV_GENESIS, openKvHome } from '../../../test/support/kv-chain.ts'
import { SEEDS } from '../../../test/support/executed-chain.ts'
import { type CliOutcome, type CliWorld, runCli } from '../../../test/support/run-cli.ts'
import type { Kv } from '../../core/kv.ts'
import { createLedger } from '../../signer/ledger.ts'
import { openLedgerFile } from '../../signer/ledger-file.node.ts'
import { noopLogger } from '../../core/logger.ts'
import { createLevelKv } from '../../store/kv-level.node.ts'
import { formatGenesis } from '../../types/genesis.ts'
import { sha256 } from '../../util/crypto.node.ts'
import { systemErrorCode } from '../../util/files.node.ts'

const HEIGHT = 300

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'store-commands-'))
  onTestFinished(async () => await rm(path, { recursive: true, force: true }))
  return path
}

async function withDatabase<T>(home: string, task: (kv: Kv) => Promise<T>): Promise<T> {
  await mkdir(join(home, 'data'), { recursive: true })
  const kv = createLevelKv({ path: join(home, 'data/kv') })
  await kv.start()
  try {
    return await task(kv)
  } finally {
    await kv.stop()
  }
}

/** A home with genesis and, as a rule, a chain. */
async function makeHome({ blocks = HEIGHT, aggregator = false } = {}): Promise<string> {
  const home = join(await folder(), 'home')
  await mkdir(join(home, 'config'), { recursive: true })
  await writeFile(join(home, 'config/genesis.json'), formatGenesis(KV_GENESIS))
  if (aggregator) await writeFile(join(home, 'config/evnode.yaml'), 'node:\n  aggregator: true\n')
  if (blocks > 0) {
    await withDatabase(home, async (kv) => {
      const opened = await openKvHome(kv)
      await growKvChain(opened, blocks)
      await opened.stop()
    })
  }
  return home
}

async function heightOf(home: string): Promise<number> {
  return await withDatabase(home, async (kv) => {
    const { blocks, stop } = await openKvHome(kv)
    const height = await blocks.height()
    await stop()
    return height
  })
}

async function run(home: string, parameters: readonly string[], world?: CliWorld): Promise<CliOutcome> {
  return await runCli([...parameters, '--home', home], world)
}

async function json(home: string, ...parameters: readonly string[]): Promise<unknown> {
  const { stdout, stderr, code } = await run(home, [...parameters, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

/** Exit code 2, a message with `texts`, and no stack trace. */
function expectRefused({ code, stdout, stderr }: CliOutcome, ...texts: readonly string[]): void {
  for (const text of texts) expect(stderr).toContain(text)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
}

const ALL = [['rollback'], ['prune'], ['snapshot', 'export', 'file'], ['unsafe-clean', '--yes']]

describe('every command', () => {
  test.each([...ALL, ['snapshot', 'import', 'file'], ['snapshot', 'info', 'file']])(
    'evolve %s %s has help with examples and exit codes',
    async (...parameters) => {
      const { stdout, code } = await runCli([...parameters, '--help'])
      expect(code).toBe(0)
      expect(stdout).toContain('Examples:')
      expect(stdout).toContain('Exit codes:')
      expect(stdout).toContain('--json')
    },
  )

  test.each(ALL)('%s %s is refused while a node runs, and nothing changes', async (...parameters) => {
    const home = await makeHome({ blocks: 3 })
    await withDatabase(home, async () => {
      expectRefused(await run(home, parameters), 'stop the node first')
    })
    expect(await heightOf(home)).toBe(3)
  })

  test.each(ALL.slice(0, 3))('%s %s makes no database where there is none', async (...parameters) => {
    const home = await makeHome({ blocks: 0 })
    expectRefused(await run(home, parameters), 'there is no database at')
    expect(await readdir(home)).toEqual(['config'])
    expectRefused(await run(join(home, 'no'), parameters), 'genesis.json')
  })

  test.each([
    [['rollback', '--height', 'x'], '--height'],
    [['rollback', '--height', '301'], 'not to 301'],
    [['prune', '--keep', '0'], '--keep'],
    [['prune', '--mode', 'some'], 'some'],
    [['snapshot', 'export', 'f', '--recent', '-1'], '--recent'],
    [['snapshot', 'import', 'f', '--trusted-hash', 'abc'], '--trusted-hash'],
    [['snapshot', 'import', '/no/such/file'], '/no/such/file'],
    [['snapshot', 'info', '/'], '/'],
    [['rollback', '--executor', 'nothing'], 'nothing'],
  ])('%j is told what is wrong', async (parameters, text) => {
    expectRefused(await run(await makeHome({ blocks: 20 }), parameters), text)
  })
})

describe('rollback', () => {
  test('goes one block back, or to a height, and says what comes next', async () => {
    const home = await makeHome()
    const { stdout, code } = await run(home, ['rollback'])
    expect(code).toBe(0)
    expect(stdout).toContain('rolled back from height 300 to 299')
    expect(stdout).toContain(`next: evolve start --home ${home}`)
    expect(await json(home, 'rollback', '--height', '120')).toEqual({
      home,
      from: 299,
      to: 120,
      final: 0,
      signed: 0,
      da_height: null,
      header_hash: expect.stringMatching(/^[\da-f]{64}$/),
      state_root: expect.stringMatching(/^[\da-f]{64}$/),
    })
    expect(await heightOf(home)).toBe(120)
  })

  test('goes below what is final only for a node that follows', async () => {
    const home = await makeHome()
    await withDatabase(home, async (kv) => {
      const { blocks, stop } = await openKvHome(kv)
      await blocks.saveInclusion(
        Array.from({ length: 200 }, (_, i) => ({
          height: i + 1,
          headerDaHeight: i + 7,
          dataDaHeight: i + 7,
        })),
      )
      await stop()
    })
    expectRefused(await run(home, ['rollback', '--height', '150']), 'block 200 is final', '--sync-node')
    expect(await json(home, 'rollback', '--height', '150', '--sync-node')).toMatchObject({
      to: 150,
      final: 200,
      da_height: 157,
    })
  })

  test('of an aggregator is explained, refused without --force, and leaves the ledger alone', async () => {
    const home = await makeHome({ aggregator: true })
    const path = join(home, 'config/signer.ledger')
    const ledger = createLedger(
      {
        lock: { acquire: async () => undefined, release: async () => undefined },
        open: async () => await openLedgerFile(path, sha256(SEEDS.first)),
        logger: noopLogger,
      },
      { path, address: sha256(SEEDS.first) },
    )
    await ledger.start()
    await ledger.reserve(HEIGHT, sha256(SEEDS.second))
    await ledger.stop()
    const before = await readFile(path)
    expectRefused(
      await run(home, ['rollback', '--height', '290', '--sync-node']),
      'signed blocks up to 300',
      'blocks 291 to 300 as they were',
      '--force',
    )
    expect(await heightOf(home)).toBe(HEIGHT)
    const { stdout, code } = await run(home, ['rollback', '--height', '290', '--force'])
    expect(code).toBe(0)
    expect(stdout).toContain('with peers or DA that have blocks 291 to 300')
    expect(await heightOf(home)).toBe(290)
    expect(await readFile(path)).toEqual(before)
  })

  test('of more than the application can undo says how far it can', async () => {
    const home = await makeHome({ blocks: 1_100 })
    expectRefused(
      await run(home, ['rollback', '--height', '50']),
      'cannot go back to 50',
      'can go back to 76',
    )
    expect(await heightOf(home)).toBe(1_100)
  })
})

describe('prune', () => {
  test('keeps so many blocks, and only once', async () => {
    const home = await makeHome()
    expect(await json(home, 'prune', '--keep', '50')).toMatchObject({
      home,
      mode: 'all',
      keep: 50,
      height: 300,
      removed: 250,
      earliest_height: 251,
    })
    const { stdout, code } = await run(home, ['prune', '--keep', '50'])
    expect({ stdout, code }).toEqual({ stdout: expect.stringContaining('nothing to remove'), code: 0 })
    expect(await heightOf(home)).toBe(300)
  })

  test('gives the disk back', async () => {
    const home = await makeHome({ blocks: 4_000 })
    const answer = await json(home, 'prune', '--keep', '100')
    expect(answer).toMatchObject({ removed: 3_900 })
    const { bytes_before: before, bytes_after: after } = Object(answer)
    expect(after).toBeLessThan(before / 3)
  })

  test('keeps what is not final where the node has DA, and the blocks with mode metadata', async () => {
    const home = await makeHome()
    await writeFile(
      join(home, 'config/evnode.yaml'),
      'da:\n  address: http://localhost:7980\n  namespace: n\n',
    )
    expect(await json(home, 'prune', '--keep', '10')).toMatchObject({ removed: 0, earliest_height: 1 })
    expect(await json(home, 'prune', '--keep', '10', '--mode', 'metadata')).toMatchObject({ removed: 0 })
    await writeFile(join(home, 'config/evnode.yaml'), '')
    const states = await json(home, 'prune', '--keep', '10', '--mode', 'metadata')
    expect(states).toMatchObject({ removed: 290, earliest_height: 1 })
  })
})

describe('snapshot', () => {
  test('carries a chain from one home to another', async () => {
    const [from, to] = [await makeHome(), await makeHome({ blocks: 0 })]
    const file = join(dirname(from), 'chain.snapshot')
    const written = await json(from, 'snapshot', 'export', file)
    expect(written).toMatchObject({
      file,
      chain_id: 'kv-chain',
      height: 300,
      first_height: 1,
      application: 'kv',
    })
    const { header_hash: hash, sha256: checksum } = Object(written)
    expect(JSON.parse((await runCli(['snapshot', 'info', file, '--json'])).stdout)).toMatchObject({
      sha256: checksum,
    })
    expectRefused(await run(to, ['snapshot', 'import', file, '--trusted-hash', '00'.repeat(32)]), 'trusted')
    expect(await readdir(to)).toEqual(['config'])
    expect(await json(to, 'snapshot', 'import', file, '--trusted-hash', String(hash))).toMatchObject({
      home: to,
      height: 300,
    })
    expect(await heightOf(to)).toBe(300)
    expectRefused(await run(to, ['snapshot', 'import', file]), 'there is a database', 'unsafe-clean')
    expectRefused(await run(from, ['snapshot', 'export', file]), 'is there already')
  })

  test('of another chain, or damaged, is refused', async () => {
    const [from, to] = [await makeHome({ blocks: 20 }), await makeHome({ blocks: 0 })]
    const file = join(dirname(from), 'chain.snapshot')
    await json(from, 'snapshot', 'export', file)
    await writeFile(join(to, 'config/genesis.json'), formatGenesis({ ...KV_GENESIS, chainId: 'other' }))
    expectRefused(await run(to, ['snapshot', 'import', file]), 'kv-chain', 'other')
    await copyFile(join(from, 'config/genesis.json'), join(to, 'config/genesis.json'))
    const bytes = await readFile(file)
    bytes[400] = (bytes[400] ?? 0) ^ 1
    await writeFile(file, bytes)
    for (const command of ['import', 'info']) {
      expectRefused(await run(to, ['snapshot', command, file]), 'damaged')
    }
    expect(await readdir(to)).toEqual(['config'])
  })
})

describe('unsafe-clean', () => {
  async function exists(path: string): Promise<boolean> {
    try {
      await stat(path)
      return true
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return false
      throw error
    }
  }

  /** A terminal at which this is answered. */
  function answering(answer: string): CliWorld & { readonly asked: string[] } {
    const asked: string[] = []
    return {
      asked,
      console: {
        interactive: true,
        async *input() {},
        async ask(question) {
          asked.push(question)
          return answer
        },
      },
    }
  }

  test('asks, and does nothing unless the answer is yes', async () => {
    const home = await makeHome({ blocks: 5 })
    for (const answer of ['', 'n', 'maybe']) {
      const world = answering(answer)
      const refused = await run(home, ['unsafe-clean'], world)
      expectRefused(refused, join(home, 'data/kv'), 'nothing was done')
      expect(world.asked).toEqual([expect.stringMatching(/^Delete .*\[y\/N\] $/)])
    }
    expectRefused(await run(home, ['unsafe-clean']), '--yes')
    expect(await heightOf(home)).toBe(5)
    expect((await run(home, ['unsafe-clean'], answering('y'))).code).toBe(0)
    expect(await exists(join(home, 'data/kv'))).toBe(false)
  })

  test('deletes databases, sound or damaged, and nothing else, wherever they lie', async () => {
    const home = await makeHome({ blocks: 5 })
    await mkdir(join(home, 'data/other'), { recursive: true })
    await writeFile(join(home, 'data/other/notes.txt'), 'mine')
    await writeFile(join(home, 'data/kv/signer.ledger'), 'not a database file')
    await rm(join(home, 'data/kv/CURRENT'))
    await writeFile(join(home, 'config/signer.json'), '{}')
    expect(await json(home, 'unsafe-clean', '--yes')).toMatchObject({
      home,
      deleted: [join(home, 'data/kv')],
    })
    expect(await readdir(join(home, 'data/kv'))).toEqual(['signer.ledger'])
    expect(await readFile(join(home, 'data/other/notes.txt'), 'utf8')).toBe('mine')
    expect((await readdir(join(home, 'config'))).toSorted()).toEqual(['genesis.json', 'signer.json'])
    expect(await json(home, 'unsafe-clean', '--yes')).toMatchObject({ deleted: [], bytes: 0 })
  })
})

import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type CliOutcome, type CliWorld, runCli } from '../../../test/support/run-cli.ts'
import { openSignerFile, signingKeyOf, type SigningKey } from '../../signer/file.node.ts'
import { createFileLedger } from '../../signer/ledger.node.ts'
import { formatPrivateKey } from '../../signer/private-key-text.ts'
import { toBase64, toHex } from '../../util/bytes.ts'

const hash = new Uint8Array(32).fill(5)

/** A key that nobody else has: the lock of a key is one for the whole machine. */
function newKey(): SigningKey {
  return signingKeyOf(new Uint8Array(randomBytes(32)))
}

/** A home directory with a passphrase file beside it. */
async function setUp() {
  const scratch = await mkdtemp(join(tmpdir(), 'evolve-keys-'))
  onTestFinished(async () => await rm(scratch, { recursive: true, force: true }))
  const home = join(scratch, 'home')
  const passphraseFile = join(scratch, 'pass.txt')
  await writeFile(passphraseFile, 'correct horse\n')
  const file = (name: string): string => join(home, 'config', name)

  async function run(parameters: readonly string[], input = '', world: CliWorld = {}): Promise<CliOutcome> {
    return await runCli(['keys', ...parameters, '--home', home], { stdin: [input], ...world })
  }
  const withPassphrase = ['--evnode.signer.passphrase_file', passphraseFile]
  return {
    home,
    file,
    run,
    passphraseFile,
    withPassphrase,
    import: async (key: SigningKey, ...more: string[]): Promise<CliOutcome> =>
      await run(['import', '-', ...withPassphrase, ...more], `${formatPrivateKey(key)}\n`),
    /** Signs up to `height` with a key in this home. */
    async sign(key: SigningKey, height: number): Promise<void> {
      const ledger = createFileLedger({ path: file('signer.ledger'), keyFingerprint: key.address })
      await ledger.start()
      await ledger.reserve(height, hash)
      await ledger.stop()
    },
    show: async (): Promise<unknown> => JSON.parse((await run(['show', '--json'])).stdout),
  }
}

/** A user's mistake: exit code 2 and a message with `texts`. */
function expectMistake({ code, stdout, stderr }: CliOutcome, ...texts: readonly string[]): void {
  for (const text of texts) expect(stderr).toContain(text)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
}

describe('import', () => {
  test('makes a home’s signer file, for its owner alone, from standard input', async () => {
    const [home, key] = [await setUp(), newKey()]
    const { code, stdout, stderr } = await home.import(key)
    expect(code).toBe(0)
    expect(stdout).toContain(`address     ${toHex(key.address)}\n`)
    expect(stderr).toContain('signer.ledger')
    expect(stdout + stderr).not.toContain(toHex(key.seed))
    const opened = await openSignerFile(await readFile(home.file('signer.json'), 'utf8'), 'correct horse')
    expect(opened.seed).toEqual(key.seed)
    expect((await stat(home.file('signer.json'))).mode & 0o777).toBe(0o600)
  })

  test('from a file that others may not read, and from the command line with a warning', async () => {
    const [home, key] = [await setUp(), newKey()]
    const keyFile = join(home.home, '..', 'key.hex')
    await writeFile(keyFile, formatPrivateKey(key), { mode: 0o644 })
    await chmod(keyFile, 0o644)
    expectMistake(await home.run(['import', '--file', keyFile, ...home.withPassphrase]), 'chmod 600')
    await chmod(keyFile, 0o600)
    expect((await home.run(['import', '--file', keyFile, ...home.withPassphrase])).code).toBe(0)
    const onLine = await home.run(['import', formatPrivateKey(key), '--force', ...home.withPassphrase])
    expect(onLine.code).toBe(0)
    expect(onLine.stderr).toContain('others on this machine can see')
  })

  test('of what is no private key is refused, without quoting it', async () => {
    const [home, key] = [await setUp(), newKey()]
    const hex = formatPrivateKey(key)
    for (const wrong of [
      hex.slice(0, 64),
      hex.slice(0, 127),
      `${hex.slice(0, 127)}${hex.endsWith('0') ? '1' : '0'}`,
      'x',
    ]) {
      const outcome = await home.run(['import', wrong, ...home.withPassphrase])
      expectMistake(outcome, '128 hex digits')
      expect(outcome.stderr).not.toContain(hex.slice(0, 32))
    }
    expectMistake(await home.run(['import', '-', ...home.withPassphrase]), '0 digits')
    expectMistake(
      await home.run(['import', '-', ...home.withPassphrase], 'a'.repeat(100_000)),
      '128 hex digits',
    )
    expectMistake(await home.run(['import', ...home.withPassphrase]), '--file FILE')
    expectMistake(await home.run(['import', hex, '--file', 'x', ...home.withPassphrase]), 'once')
    expectMistake(await home.run(['import', '--file', '/no/such', ...home.withPassphrase]), '/no/such')
    expectMistake(await home.run(['import', hex]), '--evnode.signer.passphrase_file')
    await expect(readdir(home.home)).rejects.toThrow('ENOENT')
  })

  test('over a key that is there needs --force, which keeps the old file', async () => {
    const home = await setUp()
    const [one, two] = [newKey(), newKey()]
    await home.import(one)
    const before = await readFile(home.file('signer.json'), 'utf8')
    expectMistake(await home.import(two), 'exists already', '--force')
    expect(await readFile(home.file('signer.json'), 'utf8')).toBe(before)
    expect((await home.import(two, '--force')).stdout).toContain('signer.json.1.bak')
    expect(await readFile(home.file('signer.json.1.bak'), 'utf8')).toBe(before)
    expect((await stat(home.file('signer.json.1.bak'))).mode & 0o777).toBe(0o600)
    expect((await home.import(one, '--force')).stdout).toContain('signer.json.2.bak')
    expect(await home.show()).toMatchObject({ address: toHex(one.address) })
  })

  test('takes a ledger aside with its key, and gives it back with it', async () => {
    const home = await setUp()
    const [one, two] = [newKey(), newKey()]
    await home.import(one)
    await home.sign(one, 12)
    expect((await home.import(two, '--force')).stdout).toContain('old ledger')
    expect(await home.show()).toMatchObject({
      address: toHex(two.address),
      last_height: null,
      ledger_problem: null,
    })
    await home.sign(two, 3)
    const back = await home.import(one, '--force', '--json')
    expect(back.stderr).toBe('')
    expect(JSON.parse(back.stdout)).toMatchObject({ last_height: 12, last_hash: toHex(hash) })
    await home.import(two, '--force')
    expect(await home.show()).toMatchObject({ address: toHex(two.address), last_height: 3 })
    expect((await readdir(join(home.home, 'config'))).toSorted()).toEqual([
      'signer.json',
      'signer.json.1.bak',
      'signer.json.2.bak',
      'signer.json.3.bak',
      'signer.ledger',
      'signer.ledger.3.bak',
    ])
  })

  test('of the same key changes the passphrase and leaves the ledger', async () => {
    const [home, key] = [await setUp(), newKey()]
    await home.import(key)
    await home.sign(key, 9)
    await writeFile(home.passphraseFile, 'battery staple')
    expect((await home.import(key, '--force')).stderr).toBe('')
    expect(await home.show()).toMatchObject({ last_height: 9 })
    const exported = await home.run(['export', ...home.withPassphrase])
    expect(exported.stdout).toBe(`${formatPrivateKey(key)}\n`)
  })

  test('is refused while a node signs with the key that is there, and over a damaged ledger', async () => {
    const [home, key] = [await setUp(), newKey()]
    await home.import(key)
    await home.sign(key, 1)
    const before = await readFile(home.file('signer.json'), 'utf8')
    const ledger = createFileLedger({ path: home.file('signer.ledger'), keyFingerprint: key.address })
    await ledger.start()
    expectMistake(await home.import(newKey(), '--force'), `pid ${process.pid}`)
    await ledger.stop()
    await writeFile(home.file('signer.ledger'), 'damaged')
    expectMistake(await home.import(newKey(), '--force'), 'signing ledger')
    expect(await readFile(home.file('signer.json'), 'utf8')).toBe(before)
    expect((await readdir(join(home.home, 'config'))).toSorted()).toEqual(['signer.json', 'signer.ledger'])
  })
})

describe('export', () => {
  test('prints the key alone on standard output, and the warning beside', async () => {
    const [home, key] = [await setUp(), newKey()]
    await home.import(key)
    const { code, stdout, stderr } = await home.run(['export', ...home.withPassphrase])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${formatPrivateKey(key)}\n` })
    expect(stderr).toContain('not encrypted')
    const json: unknown = JSON.parse((await home.run(['export', '--json', ...home.withPassphrase])).stdout)
    expect(json).toEqual({
      private_key: formatPrivateKey(key),
      public_key: toHex(key.publicKey),
      address: toHex(key.address),
    })
  })

  test('into a file makes one that only its owner reads, and keeps what is there', async () => {
    const [home, key] = [await setUp(), newKey()]
    await home.import(key)
    const path = join(home.home, 'key.hex')
    const { code, stdout } = await home.run(['export', '--output', path, ...home.withPassphrase])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `written to ${path}, which only you can read\n` })
    expect(await readFile(path, 'utf8')).toBe(`${formatPrivateKey(key)}\n`)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const other = await setUp()
    expect((await other.run(['import', '--file', path, ...other.withPassphrase])).code).toBe(0)
    expectMistake(await home.run(['export', '-o', path, ...home.withPassphrase]), `${path} exists already`)
    const nowhere = join(home.home, 'no', 'folder')
    expectMistake(await home.run(['export', '-o', nowhere, ...home.withPassphrase]), 'there is no folder')
    expectMistake(await home.run(['export', '-o', '', ...home.withPassphrase]), '--output')
    const json = await home.run(['export', '-o', `${path}.json`, '--json', ...home.withPassphrase])
    expect(JSON.parse(json.stdout)).toEqual({
      file: `${path}.json`,
      public_key: toHex(key.publicKey),
      address: toHex(key.address),
    })
    expect(JSON.parse(await readFile(`${path}.json`, 'utf8'))).toMatchObject({
      private_key: formatPrivateKey(key),
    })
  })

  test('on a terminal asks before it shows the key', async () => {
    const [home, key] = [await setUp(), newKey()]
    await home.import(key)
    const show = async (typed: string | undefined, ...more: string[]): Promise<CliOutcome> =>
      await home.run(['export', ...more, ...home.withPassphrase], '', {
        outputIsTerminal: true,
        console: { interactive: typed !== undefined, input: async function* () {}, ask: async () => typed },
      })
    const shown = { code: 0, stdout: `${formatPrivateKey(key)}\n` }
    expect(await show('y')).toMatchObject(shown)
    expect(await show(undefined, '--yes')).toMatchObject(shown)
    for (const refused of [await show('n'), await show(''), await show(undefined)]) {
      expect(refused).toMatchObject({ code: 2, stdout: '' })
      expect(refused.stderr).not.toContain(formatPrivateKey(key).slice(0, 32))
    }
    expect((await show(undefined)).stderr).toContain('--output FILE')
  })

  test('tells a user’s mistakes, naming the file', async () => {
    const [home, key] = [await setUp(), newKey()]
    expectMistake(await home.run(['export', ...home.withPassphrase]), home.file('signer.json'), 'keys import')
    await home.import(key)
    expectMistake(await home.run(['export']), 'EVNODE_SIGNER_PASSPHRASE_FILE')
    expectMistake(await home.run(['export', '--evnode.signer.passphrase_file', '/no/such']), '/no/such')
    await chmod(home.file('signer.json'), 0o640)
    expectMistake(await home.run(['export', ...home.withPassphrase]), 'chmod 600')
    await chmod(home.file('signer.json'), 0o600)
    await writeFile(home.passphraseFile, 'wrong')
    expectMistake(await home.run(['export', ...home.withPassphrase]), home.file('signer.json'), 'passphrase')
    await writeFile(home.passphraseFile, ' \n')
    expectMistake(await home.run(['export', ...home.withPassphrase]), 'is empty')
    await writeFile(home.file('signer.json'), '{}')
    await writeFile(home.passphraseFile, 'x')
    expectMistake(await home.run(['export', ...home.withPassphrase]), home.file('signer.json'), 'bytes')
  })
})

describe('show', () => {
  test('tells address, public key and what was signed last, without a passphrase', async () => {
    const [home, key] = [await setUp(), newKey()]
    await home.import(key)
    const first = await home.run(['show'])
    expect(first.stdout).toContain(`in genesis  ${toBase64(key.address)}\n`)
    expect(first.stdout).toContain('last signed nothing\n')
    await home.sign(key, 77)
    expect((await home.run(['show'])).stdout).toContain(`last signed height 77, header ${toHex(hash)}\n`)
    expect(await home.show()).toEqual({
      address: toHex(key.address),
      proposer_address: toBase64(key.address),
      public_key: toHex(key.publicKey),
      file: home.file('signer.json'),
      checked: false,
      ledger: home.file('signer.ledger'),
      last_height: 77,
      last_hash: toHex(hash),
      ledger_problem: null,
    })
  })

  test('with a passphrase checks that it opens the file', async () => {
    const [home, key] = [await setUp(), newKey()]
    await home.import(key)
    expect((await home.run(['show', ...home.withPassphrase])).stdout).toContain('signer.json (opens)\n')
    await writeFile(home.passphraseFile, 'wrong')
    expectMistake(await home.run(['show', ...home.withPassphrase]), 'passphrase')
  })

  test('tells of a ledger that is damaged or of another key', async () => {
    const home = await setUp()
    const [key, other] = [newKey(), newKey()]
    await home.import(key)
    await home.sign(other, 3)
    expect(await home.show()).toMatchObject({ ledger_problem: expect.stringContaining(toHex(other.address)) })
    await writeFile(home.file('signer.ledger'), 'x')
    expect((await home.run(['show'])).stdout).toMatch(
      /last signed unknown: .*signer\.ledger must have 8192 bytes/,
    )
  })
})

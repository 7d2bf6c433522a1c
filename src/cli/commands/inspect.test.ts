import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { type CliOutcome, runCli } from '../../../test/support/run-cli.ts'
import {
  encodeDAHeaderEnvelope,
  encodeData,
  encodeP2PData,
  encodeP2PSignedHeader,
  encodeSignedData,
  encodeSignedHeader,
} from '../../types/codec.ts'
import { dataCommitment, dataHash, type Data } from '../../types/data.ts'
import { formatGenesis } from '../../types/genesis.ts'
import { encodeHeader, headerHash, type SignedHeader } from '../../types/header.ts'
import { toBase64, toHex, utf8 } from '../../util/bytes.ts'
import { signEd25519 } from '../../util/crypto.node.ts'

const { genesis, seed, blocks } = makeChain({ count: 3, initialHeight: 7 })

function blockAt(height: number): { readonly header: SignedHeader; readonly data: Data } {
  const block = blocks[height - 7]
  if (block === undefined) throw new Error(`no block ${height}`)
  return block
}

const { header, data } = blockAt(8)
const envelope = { header, envelopeSignature: signEd25519(seed, encodeSignedHeader(header)) }
const signedData = { data, signature: signEd25519(seed, encodeData(data)), signer: header.signer }

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'evolve-inspect-'))
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }))
  return folder
}

async function inspect(...parameters: readonly string[]): Promise<CliOutcome> {
  return await runCli(['inspect', ...parameters])
}

async function inspectJson(...parameters: readonly string[]): Promise<unknown> {
  return JSON.parse((await inspect(...parameters, '--json')).stdout)
}

/** A user's mistake: exit code 2, a message that has `texts`, no stack, nothing on standard output. */
function expectMistake({ code, stdout, stderr }: CliOutcome, ...texts: readonly string[]): void {
  for (const text of texts) expect(stderr).toContain(text)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
}

describe('a header', () => {
  test.each([
    ['Header', encodeHeader(header.header), {}],
    ['SignedHeader', encodeSignedHeader(header), { signature: { valid: true } }],
    ['P2PSignedHeader', encodeP2PSignedHeader({ ...header, daHeightHint: 9 }), { da_height_hint: 9 }],
    ['P2PSignedHeader', encodeP2PSignedHeader(header), { da_height_hint: 0 }],
    ['DAHeaderEnvelope', encodeDAHeaderEnvelope(envelope), { envelope_signature: { valid: true } }],
  ])('is known as %s', async (type, bytes, more) => {
    expect(await inspectJson('header', toHex(bytes))).toMatchObject({
      type,
      encoding: 'hex',
      bytes: bytes.length,
      valid: true,
      problems: [],
      hash: toHex(headerHash(header.header)),
      chain_id: 'test-chain',
      height: 8,
      proposer_address: toHex(genesis.proposerAddress),
      ...more,
    })
  })

  test('is taken in every way it may be written down, and it is said which', async () => {
    const bytes = encodeP2PSignedHeader(header)
    const folder = await scratch()
    const file = join(folder, 'header.bin')
    await writeFile(file, bytes)
    const base64 = toBase64(bytes)
    const urls = base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
    const ways: readonly (readonly [CliOutcome, string])[] = [
      [await inspect('header', toHex(bytes)), 'hex from argument'],
      [await inspect('header', `0x${toHex(bytes).toUpperCase()}`), 'hex from argument'],
      [await inspect('header', base64), 'base64 from argument'],
      [await inspect('header', urls), 'base64 from argument'],
      [await inspect('header', file), `binary from ${file}`],
      [
        await runCli(['inspect', 'header', '-'], { stdin: [bytes.slice(0, 10), bytes.slice(10)] }),
        'binary from standard input',
      ],
      [
        await runCli(['inspect', 'header', '-'], {
          stdin: [`"${base64.slice(0, 76)}\n${base64.slice(76)}"\n`],
        }),
        'base64 from standard input',
      ],
    ]
    for (const [{ code, stdout, stderr }, how] of ways) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(`P2PSignedHeader (${bytes.length} bytes, ${how})`)
      expect(stdout).toContain(toHex(headerHash(header.header)))
      expect(stdout).toMatch(/signature +valid/)
    }
  })

  test('whose signature is wrong is told, says so, and ends with 1', async () => {
    const forged = { ...header, header: { ...header.header, height: 9 } }
    const { code, stdout, stderr } = await inspect('header', toHex(encodeSignedHeader(forged)))
    expect(code).toBe(1)
    expect(stdout).toMatch(/signature +WRONG: the signature of header 9 is not by its proposer/)
    expect(stderr).toMatch(/^error: the signature of header 9/)
    expect(await inspectJson('header', toHex(encodeSignedHeader(forged)))).toMatchObject({
      valid: false,
      signature: { valid: false },
    })
  })

  test('in an envelope that somebody else signed is wrong, once', async () => {
    const other = {
      header,
      envelopeSignature: signEd25519(new Uint8Array(32).fill(3), encodeSignedHeader(header)),
    }
    const { code, stdout, stderr } = await inspect('header', toHex(encodeDAHeaderEnvelope(other)))
    expect(code).toBe(1)
    expect(stdout).toMatch(/signature +valid/)
    expect(stdout).toMatch(/envelope +WRONG/)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('that is cut short says where', async () => {
    const hex = toHex(encodeSignedHeader(header))
    expectMistake(await inspect('header', hex.slice(0, -20)), 'bytes, hex from argument', 'at byte')
    expectMistake(await inspect('header', hex.slice(0, -1)), 'odd number of hex digits')
    expectMistake(await inspect('header', `${hex.slice(0, 100)}!${hex.slice(100)}`), '"!" at character 101')
    expectMistake(await inspect('header', toHex(encodeData(data))), 'cannot decode it')
  })
})

describe('data', () => {
  test.each([
    ['Data', encodeData(data), {}],
    ['P2PData', encodeP2PData({ ...data, daHeightHint: 4 }), { da_height_hint: 4 }],
    ['SignedData', encodeSignedData(signedData), { signature: { valid: true } }],
  ])('is known as %s', async (type, bytes, more) => {
    expect(await inspectJson('data', toBase64(bytes))).toMatchObject({
      type,
      encoding: 'base64',
      valid: true,
      hash: toHex(dataHash(data)),
      commitment: toHex(dataCommitment(data)),
      height: 8,
      tx_count: 2,
      txs: data.txs.map((tx) => ({ size: tx.length, data: toHex(tx) })),
      ...more,
    })
  })

  test('tells its first transactions, as text where they are text', async () => {
    const many: Data = {
      metadata: { chainId: 'a\u001b[31m', height: 1, time: 1n, lastDataHash: new Uint8Array(0) },
      txs: [
        Uint8Array.of(0xff, 0x00),
        ...Array.from({ length: 30 }, (_, index) => utf8(`k${index}=\u001b[2J`)),
      ],
    }
    const { stdout } = await inspect('data', toHex(encodeData(many)))
    expect(stdout).toContain('2 bytes  ff00')
    expect(stdout).toContain('… 11 more')
    expect(stdout).not.toContain('\u001b')
  })

  test('without metadata is wrong, and data of garbage is none', async () => {
    expect((await inspect('data', toHex(encodeData({ txs: [utf8('a=b')] })))).code).toBe(2)
    expectMistake(await inspect('data', 'ffffffffffffffffffff'), 'malformed protobuf')
  })
})

describe('a blob', () => {
  test('is a header or data, whichever it holds', async () => {
    expect(await inspectJson('blob', toHex(encodeDAHeaderEnvelope(envelope)))).toMatchObject({
      type: 'DAHeaderEnvelope',
      valid: true,
    })
    expect(await inspectJson('blob', toHex(encodeSignedData(signedData)))).toMatchObject({
      type: 'SignedData',
      valid: true,
    })
    expectMistake(await inspect('blob', toHex(utf8('nothing of the kind'))), 'cannot decode it')
  })

  test('is taken as a DA node gives it', async () => {
    const blobs = [encodeDAHeaderEnvelope(envelope), encodeSignedData(signedData)].map((bytes) => ({
      namespace: 'AAAA',
      data: toBase64(bytes),
      share_version: 0,
      commitment: 'AQID',
      index: 3,
    }))
    const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: blobs })
    const { code, stdout } = await runCli(['inspect', 'blob', '-', '--json'], { stdin: [answer] })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject([
      { type: 'DAHeaderEnvelope', namespace: 'AAAA', share_commitment: 'AQID', valid: true },
      { type: 'SignedData', source: expect.stringContaining('blob 2 of 2') },
    ])
    expect((await runCli(['inspect', 'blob', JSON.stringify(blobs[0])])).stdout).toContain('DAHeaderEnvelope')
    for (const [wrong, text] of [
      ['{"result":null}', 'expected an object'],
      ['[]', 'no blobs'],
      ['[{"data":"AAAA"}]', 'cannot decode it'],
      ['[{"data":"AAAA"},{"data":5}]', 'blob 2 of 2: data must be base64'],
      ['[{"data":5}]', 'must be base64'],
      ['{"data":', 'begins like JSON'],
    ] as const) {
      expectMistake(await inspect('blob', wrong), text)
    }
  })
})

describe('a genesis', () => {
  test('is told, with what is passed over', async () => {
    const file = join(await scratch(), 'genesis.json')
    await writeFile(file, formatGenesis(genesis).replace('{', '{ "extra": 1,'))
    const { code, stdout } = await inspect('genesis', file)
    expect(code).toBe(0)
    expect(stdout).toContain('test-chain')
    expect(stdout).toMatch(/passed over +extra/)
    expect(await inspectJson('genesis', file)).toMatchObject({
      type: 'Genesis',
      chain_id: 'test-chain',
      initial_height: 7,
      proposer_address: toHex(genesis.proposerAddress),
      unknown_fields: ['extra'],
      started: true,
    })
  })

  test('that is wrong says which field, or where it stops being JSON', async () => {
    expectMistake(await inspect('genesis', '{"chain_id": ""}'), 'genesis:')
    const wrong = formatGenesis(genesis).replace('"initial_height": 7', '"initial_height": -7')
    expectMistake(await inspect('genesis', wrong), 'initial_height', '-7')
    expectMistake(await inspect('genesis', '{\n "chain_id": "x",\n}'), 'line 3 column 1')
  })
})

describe('what cannot be read', () => {
  test('is a user’s mistake', async () => {
    const folder = await scratch()
    expectMistake(await inspect('header', folder), 'is a folder')
    expectMistake(await inspect('header', join(folder, 'nothing')), 'there is no file')
    expectMistake(await inspect('header', 'header.bin'), 'there is no file header.bin')
    expectMistake(await inspect('header', 'what is this?'), 'is no file')
    expectMistake(await inspect('header', ''), 'empty')
    expectMistake(await inspect('header', 'abc'), 'too short')
    expectMistake(await inspect('header', '-'), 'standard input is empty')
    expectMistake(await inspect('header'), 'missing required argument')
    expectMistake(await inspect('headers', '-'), 'unknown command')
    await writeFile(join(folder, 'empty'), '')
    expectMistake(await inspect('header', join(folder, 'empty')), 'is empty')
  })

  test('garbage never gives anything but an answer or a mistake', async () => {
    const kinds = fc.constantFrom('header', 'data', 'blob', 'genesis')
    const whole = fc.constantFrom(
      encodeDAHeaderEnvelope(envelope),
      encodeSignedData(signedData),
      encodeP2PSignedHeader(header),
      utf8(formatGenesis(genesis)),
    )
    const bent = fc
      .tuple(whole, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
      .map(([bytes, changes, cut]) => {
        const out = bytes.slice(0, cut % 3 === 0 ? cut % bytes.length : undefined)
        for (const [at, value] of changes) if (out.length > 0) out[at % out.length] = value
        return out
      })
    const inputs = fc.oneof(bent, fc.uint8Array({ maxLength: 200 }), fc.string().map(utf8))
    await fc.assert(
      fc.asyncProperty(kinds, inputs, fc.boolean(), async (kind, input, json) => {
        const { code, stdout, stderr } = await runCli(['inspect', kind, '-', ...(json ? ['--json'] : [])], {
          stdin: [input],
        })
        expect([0, 1, 2]).toContain(code)
        expect(stderr).not.toMatch(/^\s+at /m)
        expect(stderr === '').toBe(code === 0)
        if (json && code < 2) expect(JSON.parse(stdout)).toMatchObject({ valid: code === 0 })
      }),
      { numRuns: 500 },
    )
  })
})

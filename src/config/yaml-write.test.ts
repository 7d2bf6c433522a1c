import * as fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CONFIG_KEYS } from './keys.ts'
import { defaultConfig, loadConfig } from './load.ts'
import { changeConfig, configTexts, formatConfig } from './yaml-write.ts'
import { readYaml } from './yaml-read.ts'

const GO_FILE = readFileSync(new URL('testing/go-evnode.yaml', import.meta.url), 'utf8')

describe('writing the file', () => {
  test('every key stands in it with its comment, and it reads back as the same', () => {
    const text = formatConfig(defaultConfig())
    expect(loadConfig([readYaml(text, 'f')])).toEqual(defaultConfig())
    const { values } = readYaml(text, 'f')
    for (const key of CONFIG_KEYS) {
      const told = key.noFile !== true && key.rare !== true
      const found = [values.has(key.path), text.includes(`# ${key.doc}\n`)]
      expect([key.path, ...found]).toEqual([key.path, told && key.noDefault !== true, told])
    }
    for (const line of text.split('\n')) expect(line).toMatch(/^$|^ *# [\x20-\x7e]+$|^ *\w+:|^ *- /)
  })

  test('a namespace that nobody chose is left to who reads the file', () => {
    expect(formatConfig(defaultConfig())).toContain('\n  # namespace: ""\n')
  })

  test('whatever the values are', () => {
    const texts = fc.record({
      dbPath: fc.string({ minLength: 1 }).filter((text) => text.trim() !== ''),
      namespace: fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('yes', 'null', '1e3', '~', '0x1', '1:30', '- a', 'a: b', '#', '2001-01-01'),
      ),
      addresses: fc.array(fc.stringMatching(/^[^\s,]+$/)),
      milliseconds: fc.integer({ min: 1, max: 1e12 }),
    })
    fc.assert(
      fc.property(texts, ({ dbPath, namespace, addresses, milliseconds }) => {
        const base = defaultConfig()
        const config = {
          ...base,
          dbPath,
          node: { ...base.node, blockTime: milliseconds / 1_000 },
          da: { ...base.da, namespace, signingAddresses: addresses, startHeight: milliseconds },
        }
        expect(loadConfig([readYaml(formatConfig(config), 'f')])).toEqual(config)
      }),
    )
  })

  test('numbers, truth and durations are bare; other texts are quoted unless they are plain words', () => {
    const base = defaultConfig()
    const text = formatConfig({
      ...base,
      da: { ...base.da, namespace: '12e4567890', submitOptions: '{"a":1}', signingAddresses: ['a', 'on'] },
    })
    for (const line of [
      '  block_time: 1s',
      '  lazy_block_interval: 1m0s',
      '  light: false',
      '  peers: ""',
      '  listen_address: /ip4/0.0.0.0/tcp/7676',
      '  address: 127.0.0.1:7331',
      '  prometheus_listen_addr: :26660',
      '  namespace: "12e4567890"',
      '  submit_options: "{\\"a\\":1}"',
      '  signing_addresses:\n    - a\n    - "on"',
      '  batch_size_threshold: 0.8',
    ]) {
      expect(text).toContain(`\n${line}\n`)
    }
  })

  test('a file written by a Go program is read; we write its keys, and a few of our own', () => {
    const source = readYaml(GO_FILE, 'f')
    expect(source.problems).toEqual([])
    const config = loadConfig([source])
    expect(config).toMatchObject({
      node: { aggregator: true, blockTime: 100 },
      da: { namespace: 'kQ7xWm2ZpA', requestTimeout: 60_000 },
      instrumentation: { prometheusListenAddr: ':26660' },
      signer: { signerPath: '/home/operator/.testapp/config' },
      raft: { raftDir: '/home/operator/.evnode/raft' },
    })
    const ours = readYaml(formatConfig(config), 'f').values
    expect([...ours.keys()].filter((path) => source.values.has(path))).toEqual([...source.values.keys()])
    expect([...ours.keys()].filter((path) => !source.values.has(path))).toEqual([
      'rpc.explorer',
      'rpc.cors_origins',
      'rpc.max_subscribers',
      'rpc.transaction_index',
      'rpc.take_transactions',
    ])
    for (const [path, { text }] of source.values) expect([path, ours.get(path)?.text]).toEqual([path, text])
  })
})

describe('changing a file', () => {
  const mine = [
    '# mine',
    'node:',
    '  block_time: 1s # slow',
    '  # about light',
    '  light: false',
    'p2p:',
    'da:',
    '  signing_addresses: [a]',
    '',
  ].join('\n')

  test('keeps what is not changed, comments too', () => {
    const changed = changeConfig(
      mine,
      new Map([
        ['node.block_time', '2m30s'],
        ['node.light', 'true'],
        ['p2p.listen_address', '/ip4/127.0.0.1/tcp/1'],
        ['da.signing_addresses', 'b,c'],
        ['da.namespace', '0123'],
        ['da.batch_min_items', '7'],
        ['signer.kms.aws.region', 'eu'],
        ['db_path', 'x'],
      ]),
    )
    for (const line of [
      '# mine',
      '  block_time: 2m30s # slow',
      '  # about light',
      '  light: true',
      '  namespace: "0123"',
    ]) {
      expect(changed.split('\n')).toContain(line)
    }
    expect(loadConfig([readYaml(changed, 'f')])).toMatchObject({
      dbPath: 'x',
      node: { blockTime: 150_000, light: true },
      p2p: { listenAddress: '/ip4/127.0.0.1/tcp/1' },
      da: { signingAddresses: ['b', 'c'], namespace: '0123', batchMinItems: 7 },
      signer: { kms: { aws: { region: 'eu' } } },
    })
  })

  test.each([
    ['node.light', 'T', '  light: true'],
    ['node.light', '0', '  light: false'],
    ['da.batch_min_items', '0x10', '  batch_min_items: 16'],
    ['da.batch_min_items', '1_000', '  batch_min_items: 1000'],
    ['da.batch_size_threshold', '1e-1', '  batch_size_threshold: 0.1'],
    ['node.block_time', '90s', '  block_time: 1m30s'],
    ['p2p.blocked_peers', '', '  blocked_peers: ""'],
  ])('writes %s given as %j in its usual form', (path, given, line) => {
    for (const before of [mine, formatConfig(defaultConfig())]) {
      const changed = changeConfig(before, new Map([[path, given]]))
      expect(changed.split('\n').map((one) => one.replace(/ #.*/, ''))).toContain(line)
      expect(readYaml(changed, 'f').problems).toEqual([])
    }
  })

  test('without changes is no change', () => {
    expect(changeConfig(mine, new Map())).toBe(mine)
  })

  test.each(['', '# nothing yet\n', '{}'])('begins a file that is empty (%j)', (text) => {
    const changed = changeConfig(text, new Map([['log.level', 'debug']]))
    expect(changed).toContain(text.startsWith('#') ? text : '')
    expect(loadConfig([readYaml(changed, 'f')]).log.level).toBe('debug')
  })

  test('any values over any others', () => {
    const value = fc.oneof(fc.string(), fc.constantFrom('true', '1', '', '0x1', 'null', '- x', '"'))
    fc.assert(
      fc.property(value, value, (before, after) => {
        const base = defaultConfig()
        const text = formatConfig({ ...base, da: { ...base.da, namespace: before } })
        const config = loadConfig([readYaml(changeConfig(text, new Map([['da.namespace', after]])), 'f')])
        expect(config).toEqual({ ...base, da: { ...base.da, namespace: after } })
        expect([...configTexts(config).keys()]).toHaveLength(CONFIG_KEYS.length)
      }),
    )
  })
})

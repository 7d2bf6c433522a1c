import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isEvolveError } from '../util/errors.ts'
import { readEnvironment } from './environment.ts'
import { CONFIG_KEYS, type ConfigKey } from './keys.ts'
import { defaultConfig, loadConfig } from './load.ts'
import type { Problem } from './problems.ts'
import { withoutEffect } from './support.ts'
import { configTexts } from './yaml-write.ts'
import { readYaml, type Source } from './yaml-read.ts'

const PEER = '12D3KooWM1NYkRUKHGF5aQgPcqXbcZzUsEcqBMFSFhMPGKnXKSLH'

/** What --key=text for some keys gives. */
function flags(texts: Readonly<Record<string, string>>): Source {
  const values = Object.entries(texts).map(
    ([path, text]) => [path, { text, origin: `--evnode.${path}` }] as const,
  )
  return { values: new Map(values), problems: [] }
}

function yaml(texts: Readonly<Record<string, string>>): string {
  const tree: Record<string, unknown> = {}
  for (const [path, text] of Object.entries(texts)) {
    let at = tree
    const names = path.split('.')
    for (const name of names.slice(0, -1)) {
      const below: Record<string, unknown> = {}
      Object.assign(below, at[name])
      at[name] = below
      at = below
    }
    at[names.at(-1) ?? ''] = text
  }
  return JSON.stringify(tree)
}

function problemsOf(...sources: readonly Source[]): readonly Problem[] {
  try {
    loadConfig(sources)
  } catch (error) {
    if (isEvolveError(error, 'INVALID_CONFIG') && Array.isArray(error.data['problems'])) {
      return error.data['problems']
    }
    throw error
  }
  return []
}

/** Texts a key can have that break no rule between keys and ask for nothing unsupported. */
function textsOf(key: ConfigKey): fc.Arbitrary<string> {
  const fixed: Readonly<Record<string, fc.Arbitrary<string>>> = {
    'p2p.listen_address': fc.nat(65_535).map((port) => `/ip4/127.0.0.1/tcp/${port}`),
    'p2p.peers': fc.array(fc.nat(65_535).map((port) => `/ip4/10.0.0.1/tcp/${port}/p2p/${PEER}`)).map(String),
    'p2p.blocked_peers': fc.constantFrom('', PEER, `${PEER},${PEER}`),
    'p2p.allowed_peers': fc.constantFrom('', PEER),
    'node.promotable': fc.constant('false'),
    'node.based_sequencer': fc.constant('false'),
    'node.light': fc.constant('false'),
    'node.lazy_mode': fc.constant('false'),
    'node.catchup_timeout': fc.constant('0s'),
    'raft.enable': fc.constant('false'),
    'signer.signer_type': fc.constant('file'),
    'pruning.pruning_mode': fc.constant('disabled'),
    'da.address': fc.constant(''),
    'da.submit_options': fc.nat().map((gas) => JSON.stringify({ gas })),
    'instrumentation.tracing': fc.constant('false'),
    'instrumentation.namespace': fc.stringMatching(/^[A-Za-z_]\w*$/),
  }
  const named = fixed[key.path]
  if (named !== undefined) return named
  switch (key.kind) {
    case 'boolean':
      return fc.boolean().map(String)
    case 'count':
      return fc.maxSafeNat().map(String)
    case 'fraction':
      return fc.double({ min: 0, max: 1, noNaN: true }).map((number) => String(Math.abs(number)))
    case 'duration':
      return fc.integer({ min: 1, max: 59_999 }).map((milliseconds) => `${milliseconds / 1_000}s`)
    case 'choice':
      return fc.constantFrom(...(key.allowed ?? []))
    case 'list':
      return fc.array(fc.stringMatching(/^[a-z\d]+$/)).map(String)
    case 'text':
    default:
      if (/addr/.test(key.path)) return fc.nat(65_535).map((port) => `localhost:${port}`)
      return fc.stringMatching(/^[\w ~:#'"{}[\]|>-]+$/).filter((text) => text.trim() !== '')
  }
}

describe('configuration', () => {
  test('has the defaults of the Go programs', () => {
    const texts = configTexts(defaultConfig())
    for (const key of CONFIG_KEYS)
      expect([key.path, texts.get(key.path)]).toEqual([key.path, key.defaultText])
    expect(defaultConfig()).toMatchObject({
      dbPath: 'data',
      node: { blockTime: 1_000, lazyBlockInterval: 60_000, readinessMaxBlocksBehind: 15 },
      da: { blockTime: 6_000, batchSizeThreshold: 0.8, signingAddresses: [] },
      raft: { leaderLeaseTimeout: 175 },
      signer: { kms: { aws: { timeout: 10_000, maxRetries: 3 } } },
      pruning: { pruningKeepRecent: 100_000, pruningInterval: 900_000 },
    })
  })

  test('gives every key one name per source', () => {
    for (const name of ['path', 'flag', 'env'] as const) {
      expect(new Set(CONFIG_KEYS.map((key) => key[name])).size).toBe(CONFIG_KEYS.length)
    }
    const key = CONFIG_KEYS.find(({ path }) => path === 'signer.kms.aws.max_retries')
    expect(key).toMatchObject({
      property: ['signer', 'kms', 'aws', 'maxRetries'],
      flag: 'evnode.signer.kms.aws.max_retries',
      env: 'EVNODE_SIGNER_KMS_AWS_MAX_RETRIES',
    })
    expect(CONFIG_KEYS.length).toBeGreaterThan(75)
  })

  test.each(CONFIG_KEYS)('$path: flag over environment over file over default', (key) => {
    const read = (...sources: Source[]): string | undefined => configTexts(loadConfig(sources)).get(key.path)
    fc.assert(
      fc.property(textsOf(key), textsOf(key), textsOf(key), (inFile, inEnvironment, inFlag) => {
        const same = (text: string): string | undefined => read(flags({ [key.path]: text }))
        const file = readYaml(key.noFile === true ? '' : yaml({ [key.path]: inFile }), 'evnode.yaml')
        const environment = readEnvironment({ [key.env]: inEnvironment })
        const flag = flags({ [key.path]: inFlag })
        const ofFile = key.noFile === true ? key.defaultText : same(inFile)
        expect(read(file)).toBe(ofFile)
        expect(read(file, environment)).toBe(inEnvironment === '' ? ofFile : same(inEnvironment))
        expect(read(file, environment, flag)).toBe(same(inFlag))
        expect(read()).toBe(key.defaultText)
      }),
      { numRuns: 10 },
    )
  })

  test('reads numbers, truth and lists in the forms Go reads', () => {
    const config = loadConfig([
      readYaml(
        [
          'da: {signing_addresses: [a, b], max_submit_attempts: 0x10, batch_size_threshold: 1e-1}',
          'node: {readiness_window_seconds: "1_000", light: "F", aggregator: 1}',
          'p2p:',
          'rpc:',
          '  address: null',
        ].join('\n'),
        'evnode.yaml',
      ),
    ])
    expect(config).toMatchObject({
      da: { signingAddresses: ['a', 'b'], maxSubmitAttempts: 16, batchSizeThreshold: 0.1 },
      node: { readinessWindowSeconds: 1_000, light: false, aggregator: true },
      rpc: { address: '127.0.0.1:7331' },
    })
  })

  test.each([
    ['node.block_time', '0s', 'expected a duration above 0, got "0s"'],
    ['node.block_time', '5', 'expected a duration such as 100ms, 1.5s or 2m30s, got "5"'],
    ['node.lazy_block_interval', '-1s', 'expected a duration that is not negative, got "-1s"'],
    ['node.aggregator', 'yes', 'expected true or false, got "yes"'],
    ['da.batch_min_items', '-1', 'expected a whole number from 0 to 2^53-1, got "-1"'],
    ['da.batch_min_items', '010', 'expected a whole number from 0 to 2^53-1, got "010"'],
    [
      'da.batch_min_items',
      '9007199254740992',
      'expected a whole number from 0 to 2^53-1, got "9007199254740992"',
    ],
    ['da.batch_size_threshold', '1.5', 'expected a number from 0 to 1, got "1.5"'],
    ['log.level', 'loud', 'expected one of trace, debug, info, warn, error, got "loud"'],
    ['rpc.address', '7331', 'expected host:port such as 127.0.0.1:7331, got "7331"'],
    ['rpc.address', '127.0.0.1:70000', 'expected host:port such as 127.0.0.1:7331, got "127.0.0.1:70000"'],
    [
      'p2p.listen_address',
      '0.0.0.0:7676',
      'expected a multiaddress such as /ip4/0.0.0.0/tcp/7676, got "0.0.0.0:7676"',
    ],
    [
      'p2p.peers',
      '/ip4/1.2.3.4/tcp/7676',
      'expected multiaddresses such as /ip4/203.0.113.7/tcp/7676/p2p/12D3Koo…, separated by commas, not "/ip4/1.2.3.4/tcp/7676", got "/ip4/1.2.3.4/tcp/7676"',
    ],
    [
      'p2p.blocked_peers',
      'bob',
      'expected peer ids such as 12D3Koo…, separated by commas, not "bob", got "bob"',
    ],
    ['db_path', ' ', 'expected the name of a folder, got " "'],
  ])('%s %s is refused', (path, text, message) => {
    expect(problemsOf(flags({ [path]: text }))).toEqual([{ key: path, origin: `--evnode.${path}`, message }])
  })

  test('tells all problems of all sources at once', () => {
    const file = readYaml('node:\n  block_tme: 1s\n  light: maybe\nlog:\n  level: loud\n', 'evnode.yaml')
    const environment = readEnvironment({
      EVNODE_NODE_AGREGATOR: 'true',
      EVNODE_RPC_ADDRESS: 'here',
      EVNODE_HOME: '/x',
      PATH: '/bin',
    })
    expect(() => loadConfig([file, environment, flags({ 'node.promotable': 'true' })])).toThrow(
      [
        'the configuration has 6 problems:',
        '  node.block_tme: there is no such key; did you mean node.block_time? (evnode.yaml, line 2)',
        '  EVNODE_NODE_AGREGATOR is no variable of this program; did you mean EVNODE_NODE_AGGREGATOR?',
        '  node.light: expected true or false, got "maybe" (evnode.yaml, line 3)',
        '  rpc.address: expected host:port such as 127.0.0.1:7331, got "here" (EVNODE_RPC_ADDRESS)',
        '  log.level: expected one of trace, debug, info, warn, error, got "loud" (evnode.yaml, line 5)',
        '  node.promotable: not supported by this node yet (--evnode.node.promotable)',
      ].join('\n'),
    )
  })

  test.each([
    [{ 'node.light': 'true', 'node.aggregator': 'true' }, 'node.light'],
    [{ 'node.catchup_timeout': '1s' }, 'node.catchup_timeout'],
    [{ 'node.lazy_mode': 'true', 'node.lazy_block_interval': '1s' }, 'node.lazy_block_interval'],
    [{ 'da.address': 'http://localhost:7980' }, 'da.namespace'],
    [{ 'pruning.pruning_mode': 'all', 'pruning.pruning_interval': '1ms' }, 'pruning.pruning_interval'],
    [
      { 'pruning.pruning_mode': 'metadata', 'pruning.pruning_keep_recent': '0' },
      'pruning.pruning_keep_recent',
    ],
    [
      { 'instrumentation.tracing': 'true', 'instrumentation.tracing_endpoint': ' ' },
      'instrumentation.tracing_endpoint',
    ],
    [{ 'raft.enable': 'true' }, 'raft.enable'],
    [{ 'signer.signer_type': 'kms' }, 'signer.signer_type'],
    [{ 'node.based_sequencer': 'true', 'node.aggregator': 'true' }, 'node.based_sequencer'],
  ])('%j together is refused at %s', (texts, key) => {
    expect(problemsOf(flags(texts)).map((problem) => problem.key)).toEqual([key])
  })

  test('does not judge keys together when one of them is wrong itself', () => {
    expect(
      problemsOf(
        flags({ 'node.lazy_mode': 'true', 'node.block_time': 'x', 'node.lazy_block_interval': '1ms' }),
      ),
    ).toMatchObject([{ key: 'node.block_time' }])
  })

  test('never shows a secret', () => {
    const problems = problemsOf(
      readYaml('da: {auth_token: {hidden: 1}}', 'f'),
      flags({ 'da.block_time': 'q' }),
    )
    expect(JSON.stringify(problems)).not.toContain('hidden')
    expect(problems).toHaveLength(2)
  })

  test('names keys that have no effect', () => {
    expect(withoutEffect(defaultConfig())).toEqual([])
    const config = loadConfig([flags({ 'p2p.blocked_peers': PEER, 'pruning.pruning_mode': 'all' })])
    expect(withoutEffect(config).map(({ key }) => key)).toEqual(['p2p.blocked_peers'])
  })
})

import { describe, expect, test } from 'vitest'
import { readYaml } from './yaml-read.ts'

/** The only problem of a text, as key, place and message. */
function problemOf(text: string): unknown {
  const { problems } = readYaml(text, 'f')
  expect(problems).toHaveLength(1)
  const { key, origin, message } = problems[0] ?? {}
  return [key, origin, message]
}

describe('the file', () => {
  test.each(['', '# only a comment\n', '---\n', '~', '{}', 'node:\n', 'node: {}\n', 'p2p: ~\n'])(
    'with nothing in it (%j) gives nothing',
    (text) => {
      expect(readYaml(text, 'f')).toEqual({ values: new Map(), problems: [] })
    },
  )

  test.each([
    ['node: [\n', 'f, line 2, column 1'],
    ['node:\n\tlight: true\n', 'f, line 2, column 1'],
    ['log: "x\n', 'f, line 2, column 1'],
    ['db_path: a: b\n', 'f, line 1, column 10'],
    ['db_path: a\n---\ndb_path: b\n', 'f, line 2, column 1'],
  ])('%j that is not YAML is refused at %s', (text, place) => {
    expect(problemOf(text)).toEqual([undefined, place, expect.stringContaining('not valid YAML')])
  })

  test.each([
    ['db_path: a\ndb_path: b\n', 'f, line 2, column 1', 'db_path is there twice'],
    ['node:\n  light: true\n  light: false\n', 'f, line 3, column 3', 'light is there twice'],
    ['db_path: !!str x\n', 'f, line 1, column 16', 'the tag tag:yaml.org,2002:str'],
    ['db_path: !custom x\n', 'f, line 1, column 18', 'the tag !custom'],
    ['node: !!map {}\n', 'f, line 1, column 13', 'the tag tag:yaml.org,2002:map'],
    ['db_path: &a x\n', 'f, line 1, column 13', 'the anchor &a'],
    ['- a\n', 'f, line 1, column 1', 'expected keys and values'],
    ['text\n', 'f, line 1, column 1', 'expected keys and values'],
    [`# ${'x'.repeat(262_144)}`, 'f', 'more than 262144 are not read'],
  ])('%.40j is refused', (text, place, message) => {
    expect(problemOf(text)).toEqual([undefined, place, expect.stringContaining(message)])
  })

  test('aliases are refused and not followed', () => {
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: [*b, *b]'].join('\n')
    const messages = readYaml(bomb, 'f').problems.map(({ message }) => message)
    expect(messages).toEqual([
      expect.stringContaining('the anchor &a'),
      expect.stringContaining('the anchor &b'),
      expect.stringContaining('an alias'),
      expect.stringContaining('an alias'),
    ])
  })

  test('deep nesting is refused', () => {
    expect(readYaml('['.repeat(200_000), 'f').problems).toHaveLength(1)
  })

  test.each([
    ['nod:\n  light: true\n', 'nod', 'did you mean node?'],
    ['block_time: 1s\n', 'block_time', 'did you mean node.block_time?'],
    ['node:\n  ligth: true\n', 'node.ligth', 'did you mean node.light?'],
    ['bock_time: 1s\n', 'bock_time', 'did you mean node.block_time?'],
    ['DB_PATH: x\n', 'DB_PATH', 'did you mean db_path?'],
    ['something_else: 1\n', 'something_else', 'there is no such key'],
    ['<<: {db_path: x}\n', '<<', 'there is no such key'],
    ['? [a]\n: 1\n', '?', 'there is no such key'],
    ['log: info\n', 'log', 'expected a section'],
    ['clear_cache: true\n', 'clear_cache', 'give --evnode.clear_cache or EVNODE_CLEAR_CACHE'],
    ['db_path: {x: 1}\n', 'db_path', 'expected one value, got a section'],
    ['db_path: [x]\n', 'db_path', 'expected one value, got a list'],
    ['da: {namespace: 0123}\n', 'da.namespace', 'expected a text, got 0123; put it in quotes'],
    ['da: {namespace: 1e3}\n', 'da.namespace', 'expected a text, got 1e3; put it in quotes'],
    ['da: {namespace: true}\n', 'da.namespace', 'expected a text, got true; put it in quotes'],
    ['da: {signing_addresses: ["a,b"]}\n', 'da.signing_addresses', 'expected texts without commas'],
    ['da: {signing_addresses: [[a]]}\n', 'da.signing_addresses', 'expected texts without commas'],
  ])('%j is refused', (text, key, message) => {
    expect(problemOf(text)).toEqual([
      key,
      expect.stringMatching(/^f, line \d$/),
      expect.stringContaining(message),
    ])
  })

  test('texts are taken as they stand', () => {
    const text = [
      'da:',
      '  namespace: 123',
      '  auth_token: "0123"',
      'log:',
      "  level: 'info' # why",
      '',
    ].join('\n')
    const { values } = readYaml(text, 'f')
    expect([...values]).toEqual([
      ['da.namespace', { text: '123', origin: 'f, line 2' }],
      ['da.auth_token', { text: '0123', origin: 'f, line 3' }],
      ['log.level', { text: 'info', origin: 'f, line 5' }],
    ])
  })
})

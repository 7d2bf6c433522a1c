import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { CONFIG_KEYS } from '../config/keys.ts'
import { addConfigOptions, addGlobalOptions, givenOptions, normalizeArguments } from './options.ts'

/** What a command line gives, as path and text. */
function given(...parameters: readonly string[]): Record<string, string> {
  const program = new Command('p').exitOverride()
  addGlobalOptions(program)
  const command = program.command('start').action(() => {})
  addConfigOptions(command)
  program.parse(normalizeArguments(parameters), { from: 'user' })
  return Object.fromEntries([...givenOptions(command).values].map(([path, { text }]) => [path, text]))
}

describe('options', () => {
  test('exist for every key, and nothing is given by default', () => {
    expect(given('start')).toEqual({})
    for (const key of CONFIG_KEYS) expect(given('start', `--${key.flag}=x`)).toEqual({ [key.path]: 'x' })
  })

  test.each([
    [['--evnode.node.light'], 'true'],
    [['--evnode.node.light=false'], 'false'],
    [['--evnode.node.light', 'false'], 'false'],
    [['--evnode.node.light', '--evnode.node.light=false'], 'false'],
  ])('a switch %j is %s', (parameters, text) => {
    expect(given('start', ...parameters)).toEqual({ 'node.light': text })
  })

  test('a switch does not swallow the command behind it', () => {
    expect(given('--evnode.log.trace', 'start')).toEqual({ 'log.trace': 'true' })
  })

  test('those for every command may stand before and behind it', () => {
    expect(given('--evnode.log.level', 'debug', 'start')).toEqual({ 'log.level': 'debug' })
    expect(given('start', '--evnode.log.level', 'debug')).toEqual({ 'log.level': 'debug' })
  })

  test('old names mean the same', () => {
    expect(given('start', '--rollkit.node.block_time', '1s', '--rollkit.node.aggregator')).toEqual({
      'node.block_time': '1s',
      'node.aggregator': 'true',
    })
  })

  test('the last one holds; lists grow', () => {
    expect(
      given(
        'start',
        '--evnode.db_path',
        'a',
        '--evnode.db_path',
        'b',
        '--evnode.p2p.peers',
        'x',
        '--evnode.p2p.peers',
        'y,z',
      ),
    ).toEqual({ db_path: 'b', 'p2p.peers': 'x,y,z' })
  })
})

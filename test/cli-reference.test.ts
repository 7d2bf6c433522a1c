import { readdirSync, readFileSync } from 'node:fs'
import { type Command, CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import { cliReference } from '../scripts/cli-reference.ts'
import { buildProgram } from '../src/cli/program.ts'
import { EXIT, EXIT_CODES } from '../src/cli/exit.ts'
import { normalizeArguments } from '../src/cli/options.ts'
import { CONFIG_KEYS } from '../src/config/keys.ts'
import { cliContext, runCli } from './support/run-cli.ts'

function allOf(command: Command, above: readonly string[] = []): (readonly string[])[] {
  return command.commands.flatMap((one) => {
    const path = [...above, one.name()]
    return [path, ...allOf(one, path)]
  })
}

const commands = allOf(buildProgram(cliContext()))
const text = readFileSync(new URL('../docs/cli.md', import.meta.url), 'utf8')

test('docs/cli.md is what the program says: npm run docs:cli', () => {
  expect(text).toBe(cliReference())
})

test('it has every command, key, variable and exit code', () => {
  expect(commands.length).toBeGreaterThan(20)
  for (const path of commands) expect(text).toContain(`# evolve ${path.join(' ')}\n`)
  for (const { path, env } of CONFIG_KEYS) expect(text).toContain(`| \`${path}\` | \`${env}\` |`)
  expect(EXIT_CODES.map(({ code }) => code)).toEqual(Object.values(EXIT))
  for (const { code } of EXIT_CODES) expect(text).toContain(`| ${code} |`)
})

describe('every command', () => {
  test.each(commands.map((path) => [path.join(' '), path] as const))(
    '%s has help with examples',
    async (_, path) => {
      const { code, stdout, stderr } = await runCli([...path, '--help'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain('Examples:\n')
      expect(stdout).toContain(`evolve ${path.join(' ')}`)
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
    },
  )
})

/** Words of one simple command as a shell sees them: quotes are taken off, what follows a pipe or redirection is left out. */
function wordsOf(line: string): string[] {
  const words: string[] = []
  for (const [, single, double, plain = ''] of line.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)) {
    if (/^(?:\||>|<|&|;|2>|#)/.test(plain)) break
    words.push(single ?? double ?? plain.replace(/[;)]+$/, ''))
  }
  return words
}

/** Every `evolve …` of a text's code: in blocks of examples and of shells. */
function commandsIn(source: string): string[] {
  return source
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const [, rest] = /(?:^|[\s(|;]|npx )evolve (.+)$/.exec(line) ?? []
      const shown = /^(?: {2}|\$ |[A-Z_]+=\S+ |npx )?(?:npx )?(?:\(|<\()?(?:[a-zA-Z_]+=\S+ )*evolve /.test(
        line,
      )
      return rest === undefined || !shown ? [] : [rest]
    })
}

/** What the program says of a command line, without doing anything. */
async function parse(given: readonly string[]): Promise<string> {
  const said: string[] = []
  const program = buildProgram(
    cliContext({ terminal: { ...cliContext().terminal, write: (line) => said.push(line) } }),
  )
  const disarm = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => undefined)
    command.commands.forEach(disarm)
  }
  disarm(program)
  try {
    await program.parseAsync(normalizeArguments(given), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) return said.join('') || String(error)
  }
  return said.join('')
}

describe('every command in the documentation is one', () => {
  const folder = new URL('../docs/', import.meta.url)
  const files = [
    new URL('../README.md', import.meta.url),
    ...readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => new URL(name, folder)),
  ]
  test.each(files.map((file) => [file.pathname.split('/').slice(-2).join('/'), file] as const))(
    '%s',
    async (_, file) => {
      // Only what stands in code; usage lines name no values.
      const blocks = [...readFileSync(file, 'utf8').matchAll(/^```\w*\n([^]*?)^```/gm)].map(
        ([, block = '']) => block,
      )
      for (const line of blocks.flatMap(commandsIn)) {
        if (/\[options\]|<command>/.test(line)) continue
        expect({ line, said: await parse(wordsOf(line)) }).toEqual({ line, said: '' })
      }
    },
  )

  test('and there are many', () => {
    expect(commandsIn(text).length).toBeGreaterThan(80)
  })
})

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { cliReference } from '../scripts/cli-reference.ts'
import { buildProgram } from '../src/cli/program.ts'
import { EXIT, EXIT_CODES } from '../src/cli/exit.ts'
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

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../../../test/support/run-cli.ts'

const run = promisify(execFile)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evolve-completion-'))
  await writeFile(join(folder, 'evolve.bash'), (await runCli(['completion', 'bash'])).stdout)
  await writeFile(join(folder, 'some file.bin'), '')
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

/** Completes in a real bash what `line` ends with; its words as bash splits them. */
async function complete(...words: readonly string[]): Promise<string[]> {
  const script = `
    source "$1/evolve.bash"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _evolve; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = await run('bash', ['--norc', '-euc', script, 'bash', folder, ...words], {
    cwd: folder,
  })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((word) => word !== '')
}

describe('in bash', () => {
  test('commands, and those below them', async () => {
    expect(await complete('evolve', 'in')).toEqual(['init', 'inspect'])
    expect(await complete('evolve', '')).toEqual(
      expect.arrayContaining(['start', 'node', 'run', 'keys', 'version']),
    )
    expect(await complete('evolve', 'keys', '')).toEqual(['show', 'export', 'import'])
    expect(await complete('evolve', 'inspect', 'g')).toEqual(['genesis'])
  })

  test('options of the command, and those of all commands', async () => {
    expect(await complete('evolve', 'devnet', '--da')).toEqual(['--da-block-time', '--da-port'])
    expect(await complete('evolve', 'inspect', 'header', '--')).toEqual(
      expect.arrayContaining(['--json', '--home', '--help']),
    )
    expect(await complete('evolve', 'start', '--evnode.node.l')).toEqual([
      '--evnode.node.light',
      '--evnode.node.lazy_mode',
      '--evnode.node.lazy_block_interval',
    ])
    expect(await complete('evolve', 'node', '--kv')).toEqual(['--kv-endpoint'])
  })

  test('values of options, behind a blank or an equals sign', async () => {
    expect(await complete('evolve', 'start', '--executor', '')).toEqual(['kv', 'testapp'])
    expect(await complete('evolve', 'start', '--executor', '=', 't')).toEqual(['testapp'])
    expect(await complete('evolve', 'start', '--executor', '=')).toEqual(['kv', 'testapp'])
    expect(await complete('evolve', 'init', '--evnode.log.level', 'd')).toEqual(['debug'])
    expect(await complete('evolve', 'start', '--evnode.node.aggregator', 'f')).toEqual(['false'])
    expect(await complete('evolve', 'completion', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(await complete('evolve', 'devnet', '--da-port', '')).toEqual([])
  })

  test('whatever stands before: values of options are no commands', async () => {
    expect(await complete('evolve', '--home', 'keys', 'init', '--chain-')).toEqual(['--chain-id'])
    expect(await complete('evolve', 'start', '--evnode.node.light', '--exec')).toEqual(['--executor'])
    expect(await complete('evolve', 'start', '--kv-endpoint', '127.0.0.1', ':', '9090', '--exec')).toEqual([
      '--executor',
    ])
  })

  test('through the shell itself: names of files with blanks come from bash, where a file can stand', async () => {
    const script = `source evolve.bash; bind 'set bell-style none' 2>/dev/null; complete -p evolve`
    const { stdout } = await run('bash', ['--norc', '-c', script], { cwd: folder })
    expect(stdout).toBe('complete -o default -F _evolve evolve\n')
    expect(await complete('evolve', 'inspect', 'header', 'so')).toEqual([])
  })
})

test.each(['zsh', 'fish'])('the script for %s knows every command and option', async (shell) => {
  const { code, stdout } = await runCli(['completion', shell])
  expect(code).toBe(0)
  for (const word of ['devnet', 'genesis', 'tx-rate', 'evnode.da.batching_strategy', 'kv testapp']) {
    expect(stdout.replaceAll("'", '')).toContain(word)
  }
})

test('of another shell is refused, with those there are', async () => {
  const { code, stderr } = await runCli(['completion', 'tcsh'])
  expect(code).toBe(2)
  expect(stderr).toContain('bash, zsh, fish')
})

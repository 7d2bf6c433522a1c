/*
 * What the documentation says is done: its shell blocks run with the real command in an empty home, in order; its
 * TypeScript blocks are compiled and run, those of a section as one program.
 */
import { execFile, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../src/node/devnet/homes.ts'
import { runProgram } from '../support/process.ts'
import { type CodeBlock, codeBlocks, markdownFiles, readText, root } from '../support/markdown.ts'

const run = promisify(execFile)

/** Ports that the documents name; the machine of the tests may have others in them. */
const PORTS = ['7980', '7676', '7677', '7331', '7332', '9090', '26660', '6060'] as const

interface Background {
  readonly end: () => Promise<number | null>
}

/** A shell as a reader of one document has it: a home, the command, and ports that are free. */
async function createShell() {
  const home = mkdtempSync(join(tmpdir(), 'evolve-docs-'))
  const bin = join(home, '.bin')
  mkdirSync(bin)
  const command = `#!/bin/sh\nexec "${process.execPath}" --conditions=evolve-source "${root}src/cli/main.ts" "$@"\n`
  writeFileSync(join(bin, 'evolve'), command)
  chmodSync(join(bin, 'evolve'), 0o755)
  const ports = new Map<string, number>()
  for (const port of PORTS) ports.set(port, await freePort())
  const here = (text: string): string =>
    text
      .replace(/^evolve da$/gm, 'evolve da --port 7980')
      .replace(new RegExp(`\\b(?:${PORTS.join('|')})\\b`, 'g'), (port) => String(ports.get(port) ?? port))
  const env = {
    PATH: [bin, dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: home,
    TMPDIR: home,
    EVNODE_P2P_LISTEN_ADDRESS: here('/ip4/127.0.0.1/tcp/7676'),
    EVNODE_RPC_ADDRESS: here('127.0.0.1:7331'),
  }
  const running: Background[] = []

  return {
    /** Runs a block to its end, which must be a good one. */
    async foreground({ code }: CodeBlock): Promise<string> {
      const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', here(code)], {
        env,
        cwd: home,
      })
      return stdout
    },
    /** Starts a block and resolves when it has said `text`. */
    async background({ code }: CodeBlock, text: string): Promise<void> {
      const child = spawn('bash', ['--norc', '-c', `exec ${here(code)}`], {
        env,
        cwd: home,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let output = ''
      const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
      running.push({
        async end() {
          child.kill('SIGTERM')
          return await exited
        },
      })
      await new Promise<void>((resolve, reject) => {
        const hear = (chunk: Buffer): void => {
          output += chunk.toString()
          if (output.includes(text)) resolve()
        }
        child.stdout.on('data', hear)
        child.stderr.on('data', hear)
        void exited.then((exit) => reject(new Error(`ended with ${exit} before "${text}":\n${output}`)))
      })
    },
    /** Ends what runs, the last first; resolves with the exit codes. */
    async end(): Promise<(number | null)[]> {
      const codes: (number | null)[] = []
      for (const one of running.splice(0).toReversed()) codes.push(await one.end())
      return codes
    },
    clear: () => rmSync(home, { recursive: true, force: true }),
  }
}

const documents = markdownFiles().filter((path) => path.startsWith('docs/') || path === 'README.md')

describe('shell blocks', () => {
  const withShell = documents.filter((path) =>
    codeBlocks(readText(path)).some(({ language, info }) => language === 'sh' && !info.startsWith('norun')),
  )
  test.for(withShell)('%s', async (path) => {
    const shell = await createShell()
    try {
      for (const block of codeBlocks(readText(path)).filter(({ language }) => language === 'sh')) {
        const { info, line } = block
        if (info.startsWith('norun: ')) continue
        const [, awaited] = /^background "(.+)"$/.exec(info) ?? []
        try {
          if (info === 'end') expect(await shell.end()).not.toContain(null)
          else if (awaited === undefined) await shell.foreground(block)
          else await shell.background(block, awaited)
        } catch (cause) {
          throw new Error(`${path}, line ${line}: ${String(cause)}`, { cause })
        }
      }
      // Every program that was left running stops cleanly when it is told to.
      expect(new Set(await shell.end()).difference(new Set([0]))).toEqual(new Set())
    } finally {
      await shell.end()
      shell.clear()
    }
  })
})

describe('TypeScript blocks', () => {
  let folder = ''
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const programs = documents.flatMap((path) => {
    const blocks = codeBlocks(readText(path)).filter(
      ({ language, info }) => language === 'ts' || (language === 'text' && info === 'output'),
    )
    return [...Map.groupBy(blocks, ({ section }) => section)].map(([section, own], index) => ({
      title: `${path}, ${section}`,
      file: `${path.replaceAll(/\W/g, '-')}-${index}.ts`,
      code: own.map((block) => (block.language === 'ts' ? block.code : '')).join('\n'),
      output: own.find(({ language }) => language === 'text')?.code,
    }))
  })

  beforeAll(() => {
    // Inside the project, so that the package finds itself.
    folder = mkdtempSync(join(root, 'test/.docs-'))
    for (const { file, code } of programs) writeFileSync(join(folder, file), `${code}\nexport {}\n`)
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts', '../../src/**/*.d.ts'] }),
    )
  })

  test('are compiled, as strictly as the project itself', async () => {
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const found = await run(process.execPath, [compiler, '-p', join(folder, 'tsconfig.json')]).then(
      () => 'nothing',
      (error: unknown) => (error instanceof Error && 'stdout' in error ? error.stdout : error),
    )
    expect(found).toBe('nothing')
  })

  test.for(programs)('$title', async ({ file, output }) => {
    const { code, stdout, stderr } = await runProgram(join(relative(root, folder), file), [])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    if (output !== undefined) expect(stdout).toBe(output)
  })
})

/* The documentation: links lead somewhere, tables are whole. What it says is done runs in test/e2e/docs.test.ts. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CONFIG_KEYS } from '../src/config/keys.ts'
import { anchors, codeBlocks, links, markdownFiles, prose, readText, root } from './support/markdown.ts'

const files = markdownFiles()

test.for(files)('links of %s', (path) => {
  const wrong = links(readText(path)).filter((link) => {
    if (/^(https?:|mailto:)/.test(link)) return false
    const [target = '', anchor] = link.split('#')
    const file = target === '' ? path : normalize(join(dirname(path), target))
    if (!existsSync(join(root, file))) return true
    return anchor !== undefined && file.endsWith('.md') && !anchors(readText(file)).has(anchor)
  })
  expect(wrong).toEqual([])
})

test('every document is found from the index', () => {
  const linked = new Set(links(readText('docs/index.md')))
  const documents = readdirSync(join(root, 'docs')).filter(
    (name) => name.endsWith('.md') && name !== 'index.md',
  )
  expect(documents.filter((name) => !linked.has(name))).toEqual([])
})

test('shell blocks that do not run say why', () => {
  const odd = files
    .filter((path) => path.startsWith('docs/') || path === 'README.md')
    .flatMap((path) => codeBlocks(readText(path)).map((block) => ({ path, ...block })))
    .filter(({ language }) => language === 'sh')
    .filter(({ info }) => !/^(|end|background ".+"|norun: .{10,})$/.test(info))
  expect(odd).toEqual([])
})

describe('from-go.md', () => {
  const text = readText('docs/from-go.md')
  const names = new Set([...prose(text).matchAll(/`([^`]+)`/g)].map(([, name]) => name))

  test('has every key of the configuration, and no other', () => {
    expect(CONFIG_KEYS.map(({ path }) => path).filter((path) => !names.has(path))).toEqual([])
    const known = new Set(CONFIG_KEYS.map(({ path }) => path))
    const sections = [...new Set(CONFIG_KEYS.map(({ path }) => path.split('.')[0] ?? ''))].join('|')
    const rows = [...text.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    )
    const keys = rows.filter((name) => new RegExp(`^(${sections})\\.[a-z_.]+$`).test(name))
    expect(keys.filter((name) => !known.has(name))).toEqual([])
  })

  test('has every command of the program', () => {
    const commands = [...readText('docs/cli.md').matchAll(/^## evolve ([\w-]+)/gm)].map(
      ([, name = '']) => name,
    )
    expect(commands.length).toBeGreaterThan(10)
    expect(commands.filter((name) => !text.includes(`evolve ${name}`))).toEqual([])
  })
})

test('rpc.md has every method of every service', () => {
  const text = readText('docs/rpc.md')
  const methods = readdirSync(join(root, 'proto'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /^(evnode|evolve)\/.*\.proto$/.test(path))
    .flatMap((path) => {
      const proto = readText(join('proto', path))
      return [...proto.matchAll(/^service (\w+) \{([\s\S]*?)^\}/gm)].flatMap(([, service, body = '']) =>
        [...body.matchAll(/^ {2}rpc (\w+)/gm)].map(([, method]) => `\`${service}/${method}\``),
      )
    })
  expect(methods.length).toBeGreaterThan(20)
  expect(methods.filter((name) => !text.includes(name))).toEqual([])
})

describe('deploy/', () => {
  test('the compose file reads, and its nodes are told to do what the command can', () => {
    const compose: unknown = parse(readText('deploy/compose.yaml'), { merge: true })
    expect(compose).toMatchObject({
      services: {
        da: { command: ['da', '--host', '0.0.0.0', '--data', '/home/node/evolve'], environment: {} },
        init: {
          command: expect.arrayContaining(['init', '--evnode.node.aggregator']),
          secrets: ['passphrase'],
        },
        sequencer: { image: 'evolve', stop_grace_period: '15s', secrets: ['passphrase'] },
        follower: { build: { context: '..', dockerfile: 'deploy/Dockerfile' } },
      },
      volumes: { da: null, sequencer: null, follower: null },
    })
  })

  test('variables in the files are those of keys', () => {
    const known = new Set([...CONFIG_KEYS.map(({ env }) => env), 'EVNODE_HOME'])
    for (const file of readdirSync(join(root, 'deploy'))) {
      const used = readText(join('deploy', file)).match(/EVNODE_\w+/g) ?? []
      expect(used.filter((name) => !known.has(name))).toEqual([])
    }
  })

  test('the unit is not started again where a person is needed', () => {
    const unit = readText('deploy/evolve.service')
    expect(unit).toMatch(/^RestartPreventExitStatus=2 70$/m)
    expect(unit).toMatch(/^ExecStart=\S+\/evolve start$/m)
  })

  test('the image has what the package has', () => {
    const file = readText('deploy/Dockerfile')
    for (const [, , from = ''] of file.matchAll(/^COPY (--from=\S+ )?(.+) \S+$/gm)) {
      for (const name of from.split(' ').map((one) => one.replace(/^\/src\//, ''))) {
        // What the build makes may not be there yet.
        if (name !== '.' && name !== 'dist' && name !== 'node_modules')
          expect(existsSync(join(root, name))).toBe(true)
      }
    }
  })
})

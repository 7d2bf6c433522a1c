import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { databaseDirectory, homeDirectory, homePaths, signerFile } from './home.ts'
import { defaultConfig } from './load.ts'

test.each([
  [undefined, join(homedir(), '.evolve')],
  ['', join(homedir(), '.evolve')],
  ['~', homedir()],
  ['~/x', join(homedir(), 'x')],
  ['/a/../b', '/b'],
  ['x', join(process.cwd(), 'x')],
])('home %j is %s', (given, path) => {
  expect(homeDirectory(given)).toBe(path)
})

test('files lie where the Go programs have them', () => {
  expect(homePaths('/h')).toEqual({
    home: '/h',
    configDirectory: '/h/config',
    configFile: '/h/config/evnode.yaml',
    genesisFile: '/h/config/genesis.json',
    nodeKeyFile: '/h/config/node_key.json',
  })
  expect(databaseDirectory('/h', defaultConfig(), 'evolve')).toBe('/h/data/evolve')
})

test.each([
  ['config', '/h/config/signer.json'],
  ['/keys', '/keys/signer.json'],
  ['/keys/signer.json', '/keys/signer.json'],
])('signer path %s means %s', (signerPath, path) => {
  const base = defaultConfig()
  expect(signerFile('/h', { ...base, signer: { ...base.signer, signerPath } })).toBe(path)
})

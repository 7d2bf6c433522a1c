/*
 * npm run docs:cli: writes docs/cli.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cliReference } from './cli-reference.ts'

mkdirSync(new URL('../docs/', import.meta.url), { recursive: true })
writeFileSync(new URL('../docs/cli.md', import.meta.url), cliReference())

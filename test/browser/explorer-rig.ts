import { readdirSync } from 'node:fs'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { createClient } from '../../src/rpc/client/index.ts'
import { type CliProcess, createCliScratch } from '../support/cli-network.ts'
import { launchChromium } from '../support/chromium.ts'

/** A page in a browser, and what went wrong in it. */
export interface OpenPage {
  readonly page: Page
  /** Messages of the console that are no good news, errors, and what the content security policy stopped. */
  readonly troubles: readonly string[]
  /** Requests to anybody but the node. */
  readonly strangers: readonly string[]
}

/** What only says that the node answered a question with "no". */
const ANSWERED_NO = /Failed to load resource: the server responded with a status of 404/

/** A browser for the tests of one file. */
export function useBrowser(): {
  open(base: string, path?: string, options?: BrowserContextOptions): Promise<OpenPage>
} {
  let browser: Awaited<ReturnType<typeof launchChromium>> | undefined
  beforeAll(async () => {
    browser = await launchChromium()
  })
  const contexts: BrowserContext[] = []
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map(async (context) => await context.close()))
  })
  afterAll(async () => await browser?.close())
  return {
    async open(base, path = '/', options = {}) {
      if (browser === undefined) throw new Error('the browser is open during tests only')
      const context = await browser.newContext({
        locale: 'en-US',
        colorScheme: 'light',
        viewport: { width: 1280, height: 900 },
        ...options,
      })
      contexts.push(context)
      const page = await context.newPage()
      page.setDefaultTimeout(30_000)
      const troubles: string[] = []
      const strangers: string[] = []
      page.on('console', (message) => {
        const bad = message.type() === 'error' || message.type() === 'warning'
        if (bad && !ANSWERED_NO.test(message.text())) troubles.push(message.text())
      })
      page.on('pageerror', (error) => troubles.push(String(error.stack)))
      page.on('request', (request) => {
        if (new URL(request.url()).origin !== new URL(base).origin) strangers.push(request.url())
      })
      await page.goto(`${base}${path}`)
      return { page, troubles, strangers }
    },
  }
}

/** A devnet for the tests of one file, in a process of its own. */
export interface ExplorerDevnet {
  /** Where the page of its aggregator is. */
  readonly base: string
  readonly process: CliProcess
  /** Starts it again, with the same chain at the same address. */
  again(): Promise<void>
}

/** Starts a devnet before the tests of this file, and ends it after them. */
export function useDevnet(extra: readonly string[] = []): ExplorerDevnet {
  const scratch = createCliScratch()
  let [process, base]: [CliProcess | undefined, string] = [undefined, '']
  let parameters: string[] = []

  async function start(more: readonly string[] = []): Promise<void> {
    process = scratch.start([...parameters, ...more], { TMPDIR: scratch.folder })
    await process.said(/aggregator producing \d+/)
  }

  beforeAll(async () => {
    const times = ['--block-time', '100ms', '--da-block-time', '300ms']
    parameters = ['devnet', '--home', `${scratch.folder}/net`, ...times, ...extra]
    await start()
    base = /(?<=explorer )\S+/.exec(process?.output ?? '')?.[0] ?? ''
  })
  afterAll(async () => await scratch.clear())

  return {
    get base() {
      return base
    },
    get process() {
      if (process === undefined) throw new Error('the devnet runs during tests only')
      return process
    },
    again: async () => await start(['--rpc-port', new URL(base).port]),
  }
}

/** Sends a transaction, and resolves with its place once it is in a block. */
export async function includedTx(
  base: string,
  tx: Uint8Array | string,
): Promise<{ height: number; hash: string }> {
  const client = createClient(base)
  const from = (await client.status()).height
  const { hash } = await client.submit(tx)
  for await (const block of client.subscribeBlocks({ from, full: true })) {
    const { height, txCount } = block.summary
    const { transactions } = txCount === 0 ? { transactions: [] } : await client.transactions(height)
    if (transactions.some((one) => Buffer.from(one.hash).equals(hash))) {
      return { height, hash: Buffer.from(hash).toString('hex') }
    }
  }
  throw new Error('the chain ended')
}

/** Expects that nothing went wrong, and that nobody but the node was asked. */
export function expectQuiet({ troubles, strangers }: OpenPage): void {
  expect({ troubles, strangers }).toEqual({ troubles: [], strangers: [] })
}

/** Files below a folder. */
export function filesBelow(folder: URL): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
}

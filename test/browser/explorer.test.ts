import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/rpc/client/index.ts'
import { expectQuiet, includedTx, useBrowser, useDevnet } from './explorer-rig.ts'

const browser = useBrowser()
const devnet = useDevnet(['--tx-rate', '20'])

/** The height that stands at the top of the page. */
async function height(page: Page): Promise<number> {
  const text = await page.locator('.great .figure-value').textContent()
  return Number(text?.replaceAll(',', ''))
}

const newestRow = (page: Page) => page.locator('.blocks tbody tr').first().locator('a')

async function find(page: Page, text: string): Promise<void> {
  await page.getByRole('banner').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
}

test('the chain is followed as it grows, with nothing wrong and nobody else asked', async () => {
  const open = await browser.open(devnet.base)
  const { page } = open
  await page.getByText('Producing blocks').waitFor()
  const first = await height(page)
  const row = await newestRow(page).textContent()
  await page.waitForFunction(
    (before) =>
      Number(document.querySelector('.great .figure-value')?.textContent?.replaceAll(',', '')) > before + 20,
    first,
  )
  expect(await newestRow(page).textContent()).not.toBe(row)
  // What is on DA shows as that, with its DA height.
  await page
    .locator('.blocks .finality.final', { hasText: /^Final at \d/ })
    .first()
    .waitFor()
  await page.locator('.blocks .finality.pending').first().waitFor()
  expect(await page.locator('rect.bar').count()).toBeGreaterThan(20)
  expect(await page.locator('.chart canvas').count()).toBe(3)
  for (const name of ['Blocks / s', 'Transactions / s', 'Blocks not final']) {
    await page.locator('figure', { hasText: name }).locator('.chart-value', { hasText: /^\d/ }).waitFor()
  }
  expectQuiet(open)
})

test('the list stands still while it is paused, and goes on', async () => {
  const open = await browser.open(devnet.base)
  const { page } = open
  await page.getByRole('button', { name: 'Pause' }).click()
  const row = await newestRow(page).textContent()
  await page.getByText(/^\d+ newer$/).waitFor()
  expect(await newestRow(page).textContent()).toBe(row)
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.waitForFunction(
    (before) => document.querySelector('.blocks tbody a')?.textContent !== before,
    row,
  )
  expectQuiet(open)
})

describe('one box finds', () => {
  test('a block by its height, and by its hash', async () => {
    const open = await browser.open(devnet.base)
    const { page } = open
    const client = createClient(devnet.base)
    const { summary } = await client.block(3)
    const hash = Buffer.from(summary.hash).toString('hex')
    await page.getByText('Producing blocks').waitFor()
    await find(page, '#3')
    await page.getByRole('heading', { name: 'Block 3', exact: true }).waitFor()
    await page.getByText(hash).first().waitFor()
    expect(new URL(page.url()).pathname).toBe('/block/3')
    await find(page, `0x${hash.toUpperCase()}`)
    await page.waitForURL(`**/block/${hash}`)
    await page.getByRole('heading', { name: 'Block 3', exact: true }).waitFor()
    // The address works by itself.
    await page.reload()
    await page.getByRole('heading', { name: 'Block 3', exact: true }).waitFor()
    await page.goBack()
    await page.waitForURL('**/block/3')
    expectQuiet(open)
  })

  test('a transaction by its hash', async () => {
    const open = await browser.open(devnet.base)
    const { page } = open
    const { hash, height: at } = await includedTx(devnet.base, 'found=by its hash')
    await find(page, hash)
    await page.waitForURL(`**/tx/${hash}`)
    await page.getByText('found=by its hash').first().waitFor()
    await page.getByText('66 6f 75 6e 64 3d').waitFor()
    await page
      .getByRole('main')
      .getByRole('link', { name: at.toLocaleString('en-US') })
      .click()
    await page.waitForURL(`**/block/${at}`)
    expectQuiet(open)
  })

  test.each([
    ['9999999999', /There is no block 9,999,999,999 yet: the chain is at [\d,]+\./],
    ['ab'.repeat(32), 'No block and no transaction has this hash.'],
    ['abcdef', 'A hash has 64 hex digits; this has 6.'],
    ['something else', 'That is neither a height nor a hash of 64 hex digits.'],
    [' ', 'Type a height, a header hash or a transaction hash.'],
  ])('nothing for %j, and says so', async (text, words) => {
    const open = await browser.open(devnet.base)
    await find(open.page, text)
    await open.page.getByRole('alert').getByText(words).waitFor()
    expect(new URL(open.page.url()).pathname).toBe('/')
    expectQuiet(open)
  })
})

test('what a transaction holds is shown, never run', async () => {
  const evil = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
  const turned = 'pay=\u202E001 \u0000'
  const { hash } = await includedTx(devnet.base, `evil=${evil}`)
  const open = await browser.open(devnet.base, `/tx/${hash}`)
  const { page } = open
  await page.getByText(evil).first().waitFor()
  const other = await includedTx(devnet.base, turned)
  await page.goto(`${devnet.base}/block/${other.height}`)
  await page.getByText('pay=\\u{202e}001 \\u{0}').first().waitFor()
  // Neither an address nor an agent or a chain can bring markup in: everything is text.
  await page.goto(`${devnet.base}/block/${encodeURIComponent('<img src=x onerror=alert(1)>')}`)
  await page.getByRole('heading', { name: 'Nothing here' }).waitFor()
  expect(await page.evaluate(() => ({ pwned: 'pwned' in window, images: document.images.length }))).toEqual({
    pwned: false,
    images: 0,
  })
  expectQuiet(open)
})

test('a transaction is submitted, and leads to its block', async () => {
  const open = await browser.open(devnet.base, '/submit')
  const { page } = open
  await page.getByRole('button', { name: 'Submit' }).click()
  await page.getByRole('alert').getByText('Type a transaction first.').waitFor()
  await page.getByLabel('Transaction', { exact: true }).fill('by=the page')
  await page.getByLabel('Transaction', { exact: true }).press('Control+Enter')
  await page.getByRole('link', { name: /^block [\d,]+$/ }).waitFor()
  await page.getByLabel('Hex').check()
  await page.getByLabel('Transaction', { exact: true }).fill('6x')
  await page.getByRole('button', { name: 'Submit' }).click()
  await page.getByRole('alert').getByText('Hex has two digits').waitFor()
  await page.getByLabel('Transaction', { exact: true }).fill('0x6865783d31')
  await page.getByRole('button', { name: 'Submit' }).click()
  await page.getByRole('link', { name: 'see the transaction' }).nth(1).waitFor()
  await page.getByRole('link', { name: 'see the transaction' }).first().click()
  await page.getByText('hex=1').first().waitFor()
  expectQuiet(open)
})

test('a transaction that the chain refuses is said to be refused', async () => {
  const open = await browser.open(devnet.base, '/submit')
  const { page } = open
  await page.getByLabel('Transaction', { exact: true }).fill(`large=${'x'.repeat(1_100_000)}`)
  await page.getByRole('button', { name: 'Submit' }).click()
  await page.getByRole('alert').getByText('A transaction has at most 1048576 bytes').waitFor()
  expect(open.strangers).toEqual([])
})

test('peers and what was posted to DA are shown', async () => {
  const open = await browser.open(devnet.base, '/peers')
  const { page } = open
  const peers = page.getByRole('list', { name: 'Connections' })
  await peers.getByText('inbound').waitFor()
  await peers.getByText(/^\d+ protocols$/).click()
  await peers.getByText('/ipfs/kad/1.0.0').waitFor()
  await page.getByRole('link', { name: 'DA', exact: true }).click()
  await page.getByText('reachable').waitFor()
  await page
    .locator('.submissions .finality.final', { hasText: /^DA \d+$/ })
    .first()
    .waitFor()
  expect(await page.locator('.submissions tbody tr').count()).toBeGreaterThan(1)
  expectQuiet(open)
})

test('a block that is not there yet shows when it comes', async () => {
  const { height: now } = await createClient(devnet.base).status()
  const open = await browser.open(devnet.base, `/block/${now + 40}`)
  await open.page.getByText('This block is not there yet').waitFor()
  await open.page.getByText('State root').waitFor()
  // And when it is final, that too.
  await open.page
    .getByText(/^Final$/)
    .or(open.page.locator('.finality.final'))
    .first()
    .waitFor()
  expectQuiet(open)
})

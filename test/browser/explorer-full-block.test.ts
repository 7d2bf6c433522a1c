import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FullBlock, makeFullBlock } from '../support/full-block.ts'
import { expectQuiet, useBrowser } from './explorer-rig.ts'

const browser = useBrowser()
let made: FullBlock | undefined
let [base, height] = ['', 0]

beforeAll(async () => {
  made = await makeFullBlock(5_000)
  ;({ base, height } = made)
})
afterAll(async () => await made?.stop())

test('a block of 5,000 transactions is shown in pages, and can be used', async () => {
  const open = await browser.open(base, `/block/${height}`)
  const { page } = open
  await page.getByText('key0=a value that is number 0', { exact: true }).waitFor()
  const nodes = async (): Promise<number> => await page.evaluate(() => document.querySelectorAll('*').length)
  const few = 1_500
  expect(await page.locator('.transactions tbody tr').count()).toBe(50)
  expect(await nodes()).toBeLessThan(few)
  // On and on, with the focus where it was.
  await page.getByRole('link', { name: 'Transactions after' }).focus()
  for (let turn = 1; turn <= 5; turn++) {
    await page.keyboard.press('Enter')
    await page.getByText(`${turn * 50}–${turn * 50 + 49} of 5,000`).waitFor()
    await page.getByText(`key${turn * 50}=`).waitFor()
  }
  expect(await nodes()).toBeLessThan(few)
  expect(new URL(page.url()).search).toBe('?offset=250')
  await page.goto(`${base}/block/${height}?offset=4999`)
  await page.getByText('4,950–4,999 of 5,000').waitFor()
  await page.getByText('key4999=').waitFor()
  await page.getByRole('link', { name: 'Transaction 4,999' }).click()
  await page.waitForURL(`**/block/${height}/tx/4999`)
  await page.getByText('key4999=a value that is number 4999').first().waitFor()
  await page.goBack()
  await page.getByText('4,950–4,999 of 5,000').waitFor()
  // An address may say anything.
  await page.goto(`${base}/block/${height}?offset=99999999`)
  await page.getByText('4,950–4,999 of 5,000').waitFor()
  await page.goto(`${base}/block/${height}/tx/5000`)
  await page.getByRole('alert').getByText('No block holds').waitFor()
  expectQuiet(open)
})

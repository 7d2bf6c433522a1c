import { expect, test } from 'vitest'
import { expectQuiet, useBrowser, useDevnet } from './explorer-rig.ts'

const browser = useBrowser()
const devnet = useDevnet()

test('a node that dies is missed, and followed again when it is back', async () => {
  const open = await browser.open(devnet.base)
  const { page } = open
  await page.locator('.blocks tbody tr').first().waitFor()
  const before = Number((await page.locator('.great .figure-value').textContent())?.replaceAll(',', ''))
  await devnet.process.stop('SIGKILL')
  await page.getByText('Connection lost: The node cannot be reached. Trying again…').waitFor()
  // What was known stays, and what needs the node says why it cannot be shown.
  expect(await page.locator('.blocks tbody tr').count()).toBeGreaterThan(0)
  await page.keyboard.press('/')
  await page.keyboard.type('1')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText('The node cannot be reached.').waitFor()
  await page.getByRole('link', { name: 'Peers' }).click()
  await page.getByRole('alert').getByText('The node cannot be reached.').first().waitFor()

  await devnet.again()
  await page.getByText('Connection lost').waitFor({ state: 'detached' })
  // The page that could not be shown shows by itself.
  await page.getByText('This node').waitFor()
  await page.getByRole('link', { name: 'Chain', exact: true }).click()
  await page.waitForFunction(
    (height) =>
      Number(document.querySelector('.great .figure-value')?.textContent?.replaceAll(',', '')) > height + 5,
    before,
  )
  await page.locator('.blocks tbody tr').first().waitFor()
  // That it was gone is all that was complained about.
  expect(open.troubles.filter((text) => !text.includes('net::ERR_'))).toEqual([])
  expect(open.strangers).toEqual([])
})

test('a hidden page rests, and goes on when it is seen again', async () => {
  const open = await browser.open(devnet.base)
  const { page } = open
  await page.locator('.blocks tbody tr').first().waitFor()
  const hide = async (hidden: boolean): Promise<void> =>
    await page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))
    }, hidden)
  await hide(true)
  const resting = await page.locator('.great .figure-value').textContent()
  const other = await browser.open(devnet.base)
  await other.page.locator('.blocks tbody tr').first().waitFor()
  await other.page.waitForFunction(
    (height) =>
      Number(document.querySelector('.great .figure-value')?.textContent?.replaceAll(',', '')) > height + 10,
    Number(resting?.replaceAll(',', '')),
  )
  expect(await page.locator('.great .figure-value').textContent()).toBe(resting)
  await hide(false)
  await page.waitForFunction(
    (text) => document.querySelector('.great .figure-value')?.textContent !== text,
    resting,
  )
  expectQuiet(open)
  expectQuiet(other)
})

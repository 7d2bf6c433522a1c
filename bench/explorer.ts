/*
 * The page in a browser, with more transactions than one likes to look at.
 */
import type { Page } from 'playwright-core'
import { setup } from '../test/browser/global-setup.ts'
import { launchChromium } from '../test/support/chromium.ts'
import { makeFullBlock } from '../test/support/full-block.ts'
import type { BenchPart, Figure } from './part.ts'

const TXS = 5_000
/** Pages of transactions that are turned. */
const TURNS = 20
/** Milliseconds of following the chain. */
const FOLLOWED = 10_000

/** Milliseconds of the longest task of the page so far: nothing can be done in it meanwhile. Short ones count as 0. */
async function longestTask(page: Page): Promise<number> {
  return await page.evaluate(() => Number(document.documentElement.dataset['longest'] ?? 0))
}

/** The benchmark `explorer`. */
export const explorer: BenchPart = {
  name: 'explorer',
  about: 'the page in Chromium: a block of 5,000 transactions, and following a chain',
  async run(context) {
    await setup()
    context.log(`making a block of ${TXS} transactions`)
    const made = await makeFullBlock(TXS)
    const browser = await launchChromium()
    try {
      const page = await (await browser.newContext({ locale: 'en-US' })).newPage()
      await page.addInitScript(() => {
        let longest = 0
        new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
          document.documentElement.dataset['longest'] = String(longest)
        }).observe({ type: 'longtask', buffered: true })
      })
      context.log('opening it')
      const begun = performance.now()
      await page.goto(`${made.base}/block/${made.height}`)
      await page.getByText('key0=').first().waitFor()
      const opened = performance.now() - begun
      const opening = await longestTask(page)
      const next = page.getByRole('link', { name: 'Transactions after' })
      const turning = performance.now()
      for (let turn = 1; turn <= TURNS; turn++) {
        await next.click()
        await page
          .getByText(`key${turn * 50}=`)
          .first()
          .waitFor()
      }
      const turned = (performance.now() - turning) / TURNS
      const turns = await longestTask(page)
      context.log('following the chain')
      await page.goto(made.base)
      await page.locator('.blocks tbody tr').first().waitFor()
      await page.waitForTimeout(FOLLOWED)
      const following = await longestTask(page)
      const figures: readonly Figure[] = [
        { name: 'until its transactions are seen', value: opened, unit: 'ms', goal: { atMost: 1_000 } },
        { name: 'longest task meanwhile', value: opening, unit: 'ms', goal: { atMost: 200 } },
        { name: 'turning a page of transactions', value: turned, unit: 'ms', goal: { atMost: 200 } },
        { name: 'longest task until then', value: turns, unit: 'ms', goal: { atMost: 200 } },
        { name: 'longest task of 10 s at the tip', value: following, unit: 'ms', goal: { atMost: 200 } },
      ]
      return [
        {
          title: `The page: a block of ${TXS} transactions`,
          figures,
          notes: ['Node and browser share the machine. Tasks below 50 ms are not counted: they show as 0.'],
        },
      ]
    } finally {
      await browser.close()
      await made.stop()
    }
  },
}

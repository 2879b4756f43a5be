// axe on a page, light and dark and in forced colours.
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

const tags = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'];

type Look = 'light' | 'dark' | 'forced colours';
const looks: Look[] = ['light', 'dark', 'forced colours'];

// expectAccessible fails with every finding. The page's device must be opened
// with bypassCSP: axe brings its own script, which our policy would stop.
export async function expectAccessible(page: Page, what: string): Promise<void> {
  const findings: string[] = [];
  for (const look of looks) {
    await page.emulateMedia({ colorScheme: look === 'dark' ? 'dark' : 'light', forcedColors: look === 'forced colours' ? 'active' : 'none', reducedMotion: 'reduce' });
    const builder = new AxeBuilder({ page }).withTags(tags);
    // In forced colours the system chooses them; axe computes ours.
    if (look === 'forced colours') builder.disableRules(['color-contrast']);
    const { violations, passes } = await builder.analyze();
    if (passes.length === 0) findings.push(`${what}, ${look}: axe checked nothing`);
    for (const v of violations) findings.push(`${what}, ${look}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`);
  }
  await page.emulateMedia({ colorScheme: null, forcedColors: null, reducedMotion: null });
  expect(findings).toEqual([]);
}

// expectTargets fails for a button, link or field that is lower than 44 px
// (UX-A5). Links inside a sentence are exempt, as in WCAG 2.5.8.
export async function expectTargets(page: Page): Promise<void> {
  const small = await page.locator('button, input, summary, a[href]').evaluateAll((all) => all.filter((el) => {
    const box = el.getBoundingClientRect();
    const inline = el.tagName === 'A' && getComputedStyle(el).display === 'inline' && el.parentElement?.tagName === 'P';
    const label = el.closest('label')?.getBoundingClientRect();
    const away = box.width <= 1 || box.right <= 0 || box.bottom <= 0; // hidden, or the skip link
    return !away && !inline && Math.max(box.height, label?.height ?? 0) < 44;
  }).map((el) => `${el.tagName.toLowerCase()} “${el.textContent?.trim() || el.getAttribute('name')}”: ${Math.round(el.getBoundingClientRect().height)} px`));
  expect(small, 'targets lower than 44 px').toEqual([]);
}

// expectNoSidewaysScroll fails if the page is wider than its window.
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const { scroll, window: width } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, window: document.documentElement.clientWidth }));
  expect(scroll, `${page.url()} is wider than its window`).toBeLessThanOrEqual(width);
}

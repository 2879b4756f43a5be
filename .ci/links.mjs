// Checks that every relative link in the repository's Markdown leads to a file
// that is there, and every #fragment to a heading. Prints each dead link and
// exits 1 if there is one. Links to other sites are not followed.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], { encoding: 'utf8' });
const files = tracked.split('\0').filter((f) => f && existsSync(f));

// Code is no prose: what looks like a link in it is none.
const prose = (text) => text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));

// anchors returns the fragments of a page's headings, as code hosts make them.
const cache = new Map();
function anchors(file) {
  if (!cache.has(file)) {
    const seen = new Map(), found = new Set();
    const text = readFileSync(file, 'utf8');
    for (const [, heading] of text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
      const slug = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replace(/ /g, '-');
      const n = seen.get(slug) ?? 0;
      seen.set(slug, n + 1);
      found.add(n ? `${slug}-${n}` : slug);
    }
    for (const [, id] of text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) found.add(id);
    cache.set(file, found);
  }
  return cache.get(file);
}

let links = 0;
const dead = [];
for (const file of files) {
  const text = prose(readFileSync(file, 'utf8'));
  const targets = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g), ...text.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm), ...text.matchAll(/\s(?:src|href)="([^"]+)"/g)];
  for (const [, target] of targets) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target) || target.startsWith('//')) continue;
    links++;
    const [path, fragment] = target.split('#');
    const to = path === '' ? file : normalize(path.startsWith('/') ? path.slice(1) : join(dirname(file), decodeURI(path)));
    if (!existsSync(to)) dead.push(`${file}: ${target}: no such file`);
    else if (fragment && statSync(to).isFile() && to.endsWith('.md') && !anchors(to).has(decodeURIComponent(fragment))) dead.push(`${file}: ${target}: no such heading`);
  }
}
for (const line of dead) console.error(line);
console.log(`links: ${links} in ${files.length} pages, ${dead.length} dead`);
process.exit(dead.length ? 1 : 0);

// Passkey profiles at work: what is refused, and what the person reads.
import { defaultProfile, globalAdministrator, type Graph } from '../harness/graph.ts';
import { createPasskey, enterPass, heading, openSecurityInfo, signInByButton, signOut } from '../harness/journeys.ts';
import { expect, test } from '../harness/test.ts';

const free = { isEnforced: false, enforcementType: 'block', aaGuids: [] };
const everyone = { id: defaultProfile, name: 'Default passkey profile', passkeyTypes: 'deviceBound,synced', attestationEnforcement: 'disabled', keyRestrictions: free };
const administrators = { id: '7d3f3f5e-6f0e-4d1c-9b8a-1f2e3d4c5b6a', name: 'Administrators', passkeyTypes: 'deviceBound', attestationEnforcement: 'disabled', keyRestrictions: free };

// keysForAdministrators gives Global Administrators the strict profile and
// nobody the open one but sales.
async function keysForAdministrators(graph: Graph, change: object = {}): Promise<void> {
  const sales = await graph.call<{ id: string }>('POST', '/groups', { displayName: 'Sales', mailEnabled: false, mailNickname: 'sales', securityEnabled: true });
  await graph.configure('Fido2', {
    '@odata.type': '#microsoft.graph.fido2AuthenticationMethodConfiguration',
    passkeyProfiles: [everyone, { ...administrators, ...change }],
    includeTargets: [
      { id: globalAdministrator, targetType: 'group', isRegistrationRequired: false, allowedPasskeyProfiles: [administrators.id] },
      { id: sales.id, targetType: 'group', isRegistrationRequired: false, allowedPasskeyProfiles: [defaultProfile] },
    ],
  });
}

test('a Global Administrator with a synced passkey is refused: profile, rule, way out', async ({ graph, grace, open }) => {
  const device = await open();
  await enterPass(device.page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(device.page, 'Password manager');
  await openSecurityInfo(device.page);
  await signOut(device.page);
  await graph.promote(grace);
  await keysForAdministrators(graph);

  await signInByButton(device);
  const { page } = device;
  await expect(heading(page, /^You cannot/)).toBeVisible();
  await expect(page.getByRole('main')).toContainText('Administrators'); // the profile
  await expect(page.getByRole('main')).toContainText('passkeyTypeNotAllowed'); // the rule
  await expect(page.getByRole('main')).toContainText('Use a security key'); // the way out
  await expect(page.getByRole('button', { name: 'Copy details' })).toBeVisible();
  await page.goto('/security-info');
  await expect(heading(page, 'Security info')).toBeHidden();

  await test.step('the log says the same', async () => {
    const row = (await graph.signIns()).find((r) => r.userPrincipalName === grace.userPrincipalName && r.status.errorCode !== 0);
    expect(row?.status.errorCode).toBe(500121);
    expect(row?.status.additionalDetails).toContain('passkeyTypeNotAllowed');
  });

  await test.step('nothing was deleted: loosening lets it in again (PK-62)', async () => {
    expect(await device.authenticator.credentials()).toHaveLength(1);
    await graph.configure('Fido2', { passkeyProfiles: [everyone, { ...administrators, passkeyTypes: 'deviceBound,synced' }] });
    await signInByButton(device);
    await expect(heading(page, 'Hello, Grace Hopper')).toBeVisible();
  });
});

test('a new synced passkey is refused for an administrator, named, and taken off the device (UX-C8)', async ({ graph, grace, open }) => {
  await graph.promote(grace);
  await keysForAdministrators(graph);
  const device = await open();
  const { page } = device;
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await page.getByRole('button', { name: 'Create a passkey' }).click();
  const said = page.getByRole('status');
  await expect(said).toContainText('Administrators');
  await expect(said).toContainText('passkeyTypeNotAllowed');
  await expect(said).toContainText('security key');
  // signalUnknownCredential: the authenticator dropped what nobody knows.
  await expect.poll(async () => (await device.authenticator.credentials()).length).toBe(0);
  expect(await graph.passkeys(grace)).toEqual([]);

  await test.step('the way out works: a security key is accepted', async () => {
    await device.authenticator.unplug();
    const key = await device.plugIn('key');
    await createPasskey(page, 'Blue key');
    expect(await key.credentials()).toHaveLength(1);
    expect(await graph.passkeys(grace)).toMatchObject([{ displayName: 'Blue key', passkeyType: 'deviceBound' }]);
  });
});

test('people outside keep their synced passkeys; Security info marks a refused one (UX-M7)', async ({ graph, grace, open }) => {
  const laptop = await open(), { page } = laptop;
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await createPasskey(page, 'Password manager');
  await openSecurityInfo(page);
  await expect(page.getByText('Not accepted any more')).toBeHidden();
  await graph.configure('Fido2', { passkeyProfiles: [{ ...everyone, passkeyTypes: 'deviceBound' }] });
  await page.reload();
  await expect(page.getByText('Not accepted any more')).toBeVisible();
  await expect(page.getByRole('main')).toContainText('Use a security key');
});

test('a change that would lock the administrators out is refused (PK-42)', async ({ graph }) => {
  // Ada, the only administrator, has a device-bound passkey.
  await expect(graph.configure('Fido2', { passkeyProfiles: [{ ...everyone, passkeyTypes: 'synced' }] })).rejects.toThrow(/wouldLockOutAdministrators/);
});

test('only a listed provider is offered by name before the dialog (PK-175)', async ({ graph, grace, open }) => {
  const icloud = 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd';
  await keysForAdministrators(graph);
  const sales = (await graph.call<{ value: { id: string }[] }>('GET', "/groups?$filter=displayName eq 'Sales'")).value[0]!;
  await graph.call('POST', `/groups/${sales.id}/members/$ref`, { '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${grace.id}` });
  await graph.configure('Fido2', { passkeyProfiles: [{ ...everyone, keyRestrictions: { isEnforced: true, enforcementType: 'allow', aaGuids: [icloud] } }, administrators] });
  const device = await open(), { page } = device;
  await enterPass(page, grace.userPrincipalName, await graph.pass(grace));
  await expect(page.getByText(/accepts passkeys from: iCloud Keychain/)).toBeVisible();
  await page.getByRole('button', { name: 'Create a passkey' }).click();
  await expect(page.getByRole('status')).toContainText('aaguidNotAllowed');
  await expect.poll(async () => (await device.authenticator.credentials()).length).toBe(0);
});

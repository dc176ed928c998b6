"""Programs that train networks and policies, run with both libraries."""

from __future__ import annotations

REINFORCE = """
import argparse
import math
import random
from collections import deque
from itertools import count

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

parser = argparse.ArgumentParser(description='PyTorch REINFORCE example')
parser.add_argument('--gamma', type=float, default=0.99, metavar='G')
parser.add_argument('--seed', type=int, default=543, metavar='N')
parser.add_argument('--log-interval', type=int, default=1, metavar='N')
parser.add_argument('--episodes', type=int, default=8)
args = parser.parse_args()


class Pole:
    '''A pole on a cart, pushed left or right.'''

    def reset(self):
        self.state = [random.uniform(-0.05, 0.05) for _ in range(4)]
        return self.state

    def step(self, action):
        x, v, angle, w = self.state
        force = 10.0 if action == 1 else -10.0
        mixed = (force + 0.05 * w * w * math.sin(angle)) / 1.1
        turn = (9.8 * math.sin(angle) - math.cos(angle) * mixed) / (
            0.5 * (4.0 / 3.0 - 0.1 * math.cos(angle) ** 2 / 1.1))
        push = mixed - 0.05 * turn * math.cos(angle) / 1.1
        self.state = [x + 0.02 * v, v + 0.02 * push, angle + 0.02 * w, w + 0.02 * turn]
        done = abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095
        return self.state, 1.0, done


env = Pole()
random.seed(args.seed)
torch.manual_seed(args.seed)


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(4, 128)
        self.dropout = nn.Dropout(p=0.6)
        self.affine2 = nn.Linear(128, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = self.affine1(x)
        x = self.dropout(x)
        x = F.relu(x)
        action_scores = self.affine2(x)
        return F.softmax(action_scores, dim=1)


policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=1e-2)
eps = torch.finfo(torch.float32).eps


def select_action(state):
    state = torch.tensor(state).float().unsqueeze(0)
    probs = policy(state)
    m = Categorical(probs)
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode():
    R = 0
    policy_loss = []
    returns = deque()
    for r in policy.rewards[::-1]:
        R = r + args.gamma * R
        returns.appendleft(R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    for log_prob, R in zip(policy.saved_log_probs, returns):
        policy_loss.append(-log_prob * R)
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    return policy_loss.item()


running_reward = 10
for i_episode in range(args.episodes):
    state, ep_reward = env.reset(), 0
    for t in range(1, 60):
        action = select_action(state)
        state, reward, done = env.step(action)
        policy.rewards.append(reward)
        ep_reward += reward
        if done:
            break
    running_reward = 0.05 * ep_reward + (1 - 0.05) * running_reward
    loss = finish_episode()
    if i_episode % args.log_interval == 0:
        print('Episode {}\\tLast reward: {:.2f}\\tAverage reward: {:.2f}\\tLoss: {:.3f}'
              .format(i_episode, ep_reward, running_reward, loss))
"""

VAE = """
import argparse
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F

parser = argparse.ArgumentParser(description='VAE example')
parser.add_argument('--batch-size', type=int, default=32, metavar='N')
parser.add_argument('--epochs', type=int, default=3, metavar='N')
parser.add_argument('--seed', type=int, default=1, metavar='S')
parser.add_argument('--log-interval', type=int, default=2, metavar='N')
args = parser.parse_args()
torch.manual_seed(args.seed)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
kwargs = {'num_workers': 0, 'pin_memory': False}
pictures = (torch.rand(160, 1, 7, 7) < torch.linspace(0, 1, 49).view(1, 7, 7)).float()
rows = torch.utils.data.TensorDataset(pictures, torch.zeros(160))
train_loader = torch.utils.data.DataLoader(
    torch.utils.data.Subset(rows, range(128)), batch_size=args.batch_size,
    shuffle=True, **kwargs)
test_loader = torch.utils.data.DataLoader(
    torch.utils.data.Subset(rows, range(128, 160)), batch_size=args.batch_size,
    shuffle=False, **kwargs)


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(49, 40)
        self.fc21 = nn.Linear(40, 5)
        self.fc22 = nn.Linear(40, 5)
        self.fc3 = nn.Linear(5, 40)
        self.fc4 = nn.Linear(40, 49)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5*logvar)
        eps = torch.randn_like(std)
        return mu + eps*std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 49))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


model = VAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-3)


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 49), reduction='sum')
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


for epoch in range(1, args.epochs + 1):
    model.train()
    train_loss = 0
    for batch_idx, (data, _) in enumerate(train_loader):
        data = data.to(device)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        if batch_idx % args.log_interval == 0:
            print('Train Epoch: {} [{}/{} ({:.0f}%)]\\tLoss: {:.4f}'.format(
                epoch, batch_idx * len(data), len(train_loader.dataset),
                100. * batch_idx / len(train_loader), loss.item() / len(data)))
    print('====> Epoch: {} Average loss: {:.4f}'.format(
          epoch, train_loss / len(train_loader.dataset)))
    model.eval()
    test_loss = 0
    with torch.no_grad():
        for data, _ in test_loader:
            recon_batch, mu, logvar = model(data.to(device))
            test_loss += loss_function(recon_batch, data, mu, logvar).item()
        print('====> Test set loss: {:.4f}'.format(
            test_loss / len(test_loader.dataset)))
        sample = model.decode(torch.randn(4, 5).to(device)).cpu().view(4, 1, 7, 7)
        print(sample.shape, ['%.4f' % v for v in sample.mean(dim=(1, 2, 3)).tolist()])
"""

FINETUNE = """
# A network is trained, saved, and its features serve another task.
import copy
import os
import tempfile
import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


def features():
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6),
        nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)))


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = features()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(8, classes)

    def forward(self, x):
        x = torch.flatten(self.features(x), 1)
        return self.fc(self.dropout(x))


def task(classes, n):
    y = torch.arange(n) % classes
    x = torch.rand(n, 1, 8, 8) * 0.5
    for c in range(classes):
        x[y == c, :, c:c + 3, c:c + 3] += 1
    return TensorDataset(x, y)


def train_model(model, loaders, criterion, optimizer, scheduler, num_epochs):
    best, best_acc = copy.deepcopy(model.state_dict()), 0.0
    for epoch in range(num_epochs):
        for phase in ['train', 'val']:
            model.train() if phase == 'train' else model.eval()
            running_loss, running_corrects = 0.0, 0
            for inputs, labels in loaders[phase]:
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == 'train'):
                    outputs = model(inputs)
                    _, preds = torch.max(outputs, 1)
                    loss = criterion(outputs, labels)
                    if phase == 'train':
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += torch.sum(preds == labels.data)
            if phase == 'train':
                scheduler.step()
            size = len(loaders[phase].dataset)
            epoch_acc = running_corrects.double() / size
            print('{} {} Loss: {:.4f} Acc: {:.4f}'.format(
                epoch, phase, running_loss / size, epoch_acc))
            if phase == 'val' and epoch_acc > best_acc:
                best_acc, best = epoch_acc, copy.deepcopy(model.state_dict())
    print('Best val Acc: {:4f}'.format(best_acc))
    model.load_state_dict(best)
    return model


def loaders(classes):
    return {'train': DataLoader(task(classes, 48), batch_size=8, shuffle=True),
            'val': DataLoader(task(classes, 16), batch_size=8)}


criterion = nn.CrossEntropyLoss()
model = Net(4)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
step = lr_scheduler.MultiStepLR(optimizer, milestones=[1, 2], gamma=0.5)
model = train_model(model, loaders(4), criterion, optimizer, step, 3)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'pretrained.pt')
    torch.save({'state_dict': model.state_dict(), 'scheduler': step.state_dict()}, path)
    checkpoint = torch.load(path, map_location='cpu', weights_only=True)
print(sorted(checkpoint['scheduler']['milestones']), checkpoint['scheduler']['gamma'])

tuned = Net(3)
state = {k: v for k, v in checkpoint['state_dict'].items() if not k.startswith('fc.')}
print(tuned.load_state_dict(state, strict=False))
try:
    tuned.load_state_dict(checkpoint['state_dict'])
except RuntimeError as error:
    print(error)
for param in tuned.features[:4].parameters():
    param.requires_grad = False
optimizer = optim.Adam([
    {'params': tuned.features[4:].parameters(), 'lr': 1e-3},
    {'params': tuned.fc.parameters()}], lr=1e-2)
step = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
before = {k: v.clone() for k, v in tuned.state_dict().items()}
train_model(tuned, loaders(3), criterion, optimizer, step, 3)
after = tuned.state_dict()
print([k for k in after if torch.equal(before[k], after[k])])
print([group['lr'] for group in optimizer.param_groups])
"""

NETWORKS = {"reinforce": (REINFORCE, ["--episodes", "8"]),
            "vae": (VAE, ["--epochs", "3"]), "finetune": (FINETUNE, [])}
